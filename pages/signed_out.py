"""What somebody sees who is not signed in."""

import streamlit as st

st.title("Touchstone")
st.write("Where people judge what a chatbot says, and where only what they approved is used to teach it.")
st.link_button("Sign in", "/login", type="primary", icon=":material/login:")

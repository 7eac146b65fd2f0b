"""What somebody sees whose session has ended while the page was open."""

import streamlit as st

from pages.components.doors import way_in

st.title("You are signed out")
st.write("Your session has ended, or was ended elsewhere. What you saved is safe.")
way_in()

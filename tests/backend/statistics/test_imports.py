import subprocess
import sys
from pathlib import Path

import backend.statistics


def test_statistics_load_nothing_heavy_until_it_is_needed():
    names = [path.stem for path in Path(next(iter(backend.statistics.__path__))).glob("*.py") if path.stem != "__init__"]
    heavy = "{'scipy', 'sklearn', 'pandas', 'sacrebleu', 'rouge_score', 'nltk', 'statsmodels'}"
    program = "import sys\n" + "".join(f"import backend.statistics.{name}\n" for name in names)
    program += f"print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

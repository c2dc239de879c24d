import re
from pathlib import Path

from media.advice import ADVICE

MEDIA = Path(__file__).resolve().parents[2] / "media"
# How a refusal is given its code, anywhere in the app.
CODE = re.compile(r'(?:Refusal\(|cls\(|error_code=|code=)\s*"(\w+)"')


def test_every_refusal_says_what_to_do_and_no_advice_is_left_over():
    given = {code for path in MEDIA.rglob("*.py") for code in CODE.findall(path.read_text())}
    assert given == ADVICE.keys()


def test_advice_is_whole_sentences():
    assert [words for words in ADVICE.values() if not (words[0].isupper() and words.endswith("."))] == []

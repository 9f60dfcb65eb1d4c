"""Which protocol predictions are scored by, and what each wants."""

import pytest

import main


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--protocol=pose"], "--protocol=pose needs --camera"),
        (["--protocol=action", "--camera=nyu"], "--camera=nyu: --protocol=action needs none"),
        (["--protocol=anomaly", "--camera=nyu"], "--camera=nyu: --protocol=anomaly needs none"),
        (["--protocol=taste"], "--protocol"),
    ],
)
def test_what_does_not_fit_the_protocol_is_refused(tmp_path, capsys, flags, words):
    paths = [f"--input={tmp_path}/a.csv", f"--truth={tmp_path}/b.csv"]
    assert main.main(["main.py", "--mode=score", *paths, *flags]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--protocol=action"], []])
def test_actions_are_scored_whether_named_or_recognised(tmp_path, capsys, flags):
    (tmp_path / "a.csv").write_text("sequence,predicted\ns1,pour\ns2,stir\ns3,stir\n")
    (tmp_path / "b.csv").write_text("sequence,action\ns1,pour\ns2,stir\ns3,pour\n")
    paths = [f"--input={tmp_path}/a.csv", f"--truth={tmp_path}/b.csv"]
    assert main.main(["main.py", "--mode=score", *flags, *paths]) == 0
    assert "0.667" in capsys.readouterr().err



def test_a_query_can_name_files(run, sample) -> None:
    sample.write_csv("mine.csv", null_value="")
    assert run("check", "--input", "SELECT * FROM 'mine.csv'").code == 0

from proj.jobs import subjects


def test_the_task_that_writes_a_report_belongs_to_its_owner(make_report, analyst):
    report = make_report(owner=analyst, task_id="some-task")

    assert subjects.find("some-task") == subjects.Subject(
        f"report:{report.pk}",
        analyst.pk,
        f"/reports/{report.public_id}/",
        f"/admin/reports/report/{report.pk}/change/",
    )
    assert subjects.find("another-task") is None

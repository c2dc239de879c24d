import pytest
from django.contrib.auth.models import Group

from proj.api.paging import paginate
from proj.api.problems import Problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def groups():
    return Group.objects.bulk_create([Group(name=name) for name in "abcdefg"])


def page(cursor=None, limit=3, **options):
    return paginate(Group.objects.all(), cursor, limit, lambda group: group.name, **options)


def test_pages_follow_each_other_and_the_last_has_no_next(groups):
    first = page()
    second = page(first["next"])
    third = page(second["next"])

    assert [first["items"], second["items"], third["items"]] == [["g", "f", "e"], ["d", "c", "b"], ["a"]]
    assert third["next"] is None


def test_a_page_that_is_just_full_has_no_next(groups):
    assert page(limit=7)["next"] is None


def test_a_row_that_arrives_meanwhile_moves_no_other(groups):
    first = page()
    Group.objects.create(name="z")

    assert page(first["next"])["items"] == ["d", "c", "b"]


def test_a_list_may_be_ordered_by_another_unique_field(groups):
    first = page(field="name")

    assert first["items"] == ["a", "b", "c"]
    assert page(first["next"], field="name")["items"] == ["d", "e", "f"]


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_below_one_is_one(groups, limit):
    assert page(limit=limit)["items"] == ["g"]


@pytest.mark.parametrize("cursor", ["", "x", "?", "YWJj", "ö", "4pi5Cg=="])
def test_a_cursor_that_is_not_ours_is_refused(groups, cursor):
    with pytest.raises(Problem) as refusal:
        page(cursor)

    assert (refusal.value.status, refusal.value.code) == (422, "bad_cursor")


def test_a_page_costs_one_query(groups, django_assert_num_queries):
    with django_assert_num_queries(1):
        page()

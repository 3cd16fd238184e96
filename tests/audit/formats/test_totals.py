"""What people look at first."""

from canonid.audit.formats.totals import by_gravity, by_priority, by_rule, worst
from canonid.audit.rules import BY_CODE


def ones(report, code, count, **fields):
    """So many certain findings of a rule, each on a line of its own."""
    one, rule = report.findings[0], BY_CODE[code]
    like = one._replace(code=code, category=rule.category, priority=rule.priority, confidence="certain")
    like = like._replace(**{"path": f"{code}.py", "in_tests": False, **fields})
    return [like._replace(line=number) for number in range(1, count + 1)]


def test_the_worst_are_ten_of_several_rules(audited):
    findings = ones(audited.report, "CID301", 50) + ones(audited.report, "CID101", 50)
    codes = [each.code for each in worst(audited.report._replace(findings=findings))]
    assert codes.count("CID101") >= 3
    assert len(codes) == 10
    assert codes == sorted(codes, reverse=True)


def test_where_there_is_one_rule_ten_of_it(audited):
    assert len(worst(audited.report._replace(findings=ones(audited.report, "CID301", 50)))) == 10


def test_production_comes_before_tests_and_questions_never(audited):
    report = audited.report
    findings = [
        *ones(report, "CID301", 1, path="tests/a.py", in_tests=True),
        *ones(report, "CID201", 1, confidence="question"),
        *ones(report, "CID101", 1),
        *ones(report, "CID001", 1),
    ]
    found = worst(report._replace(findings=findings))
    assert [each.code for each in found] == ["CID101", "CID301"]
    assert by_gravity(findings)[-1].confidence == "question"


def test_a_line_is_shown_once(audited):
    report = audited.report
    findings = [each for code in ("CID301", "CID201") for each in ones(report, code, 20, path="a.py")]
    first = worst(report._replace(findings=findings))[:6]
    assert len({each.line for each in first}) == 6


def test_totals(audited):
    report = audited.report._replace(
        findings=ones(audited.report, "CID101", 3) + ones(audited.report, "CID101", 2, confidence="question")
    )
    (total,) = by_rule(report, BY_CODE)
    assert total[1:] == (5, 0, 2)
    assert by_priority(report) == {"P0": 0, BY_CODE["CID101"].priority: 3, "P2": 0}

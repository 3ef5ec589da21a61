"""selectTriggeringEntities: whoever met the conditions of an event acts, in each run for itself."""

import numpy as np
import pytest
from small_scenarios import after, condition, event, parameter, place, scenario, speed
from test_player_actions import DT, TWO, at, run

from sim.scenarios.values import Draw


def fast(rule: str = "any") -> str:
    """Whoever drives faster than 12 m/s."""
    names = "".join(f'<EntityRef entityRef="{name}"/>' for name in ("Ego", "Other"))
    test = '<EntityCondition><SpeedCondition value="12" rule="greaterThan"/></EntityCondition>'
    who = f'<TriggeringEntities triggeringEntitiesRule="{rule}">{names}</TriggeringEntities>'
    return condition(f"<ByEntityCondition>{who}{test}</ByEntityCondition>")


def story(ego: str, other: str, actors: str = "", start: str | None = None, parameters: str = "") -> str:
    init = (
        f'<Private entityRef="Ego">{place("50")}{speed(ego)}</Private>'
        f'<Private entityRef="Other">{place("90", "-2")}{speed(other)}</Private>'
    )
    text = scenario(
        entities=TWO, init=init, events=event(speed("3"), start=start or fast()), stop=after("4"), parameters=parameters
    )
    return text.replace(
        '<Actors selectTriggeringEntities="false"><EntityRef entityRef="Ego"/></Actors>',
        f'<Actors selectTriggeringEntities="true">{actors}</Actors>',
    )


@pytest.mark.parametrize(("ego", "other"), [("20", "10"), ("10", "20"), ("20", "20"), ("10", "10")])
def test_who_triggers_acts(tmp_path, ego, other):
    trace = run(tmp_path, story(ego, other))
    for e, given in enumerate((ego, other)):
        assert at(trace, 2.0, e)[2] == (3.0 if given == "20" else 10.0)


def test_named_actors_act_too(tmp_path):
    trace = run(tmp_path, story("10", "20", actors='<EntityRef entityRef="Ego"/>'))
    assert [at(trace, 2.0, e)[2] for e in (0, 1)] == [3.0, 3.0]


def test_each_run_has_its_own(tmp_path):
    given = parameter("ego", "10") + parameter("other", "10")
    draw = Draw(3, {"ego": np.array([20.0, 10.0, 10.0]), "other": np.array([10.0, 20.0, 10.0])})
    trace = run(tmp_path, story("$ego", "$other", parameters=given), draw=draw)
    assert trace.speed_mps[:, round(2.0 / DT)].tolist() == [[3.0, 10.0], [10.0, 3.0], [10.0, 10.0]]


def test_the_event_is_over_when_they_are_done(tmp_path):
    """What waits for its end goes on, though one of the two possible actors never acted."""
    state = (
        '<ByValueCondition><StoryboardElementStateCondition storyboardElementType="event" '
        'storyboardElementRef="event" state="completeState"/></ByValueCondition>'
    )
    following = event(speed("7"), name="next", start=condition(state)) + "</Maneuver>"
    text = story("20", "10", actors='<EntityRef entityRef="Ego"/>').replace("</Maneuver>", following)
    trace = run(tmp_path, text)
    assert [at(trace, 2.0, e)[2] for e in (0, 1)] == [7.0, 10.0]


def test_where_nobody_can_trigger_it_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"scene\.xosc.*no entity can trigger event 'event'"):
        run(tmp_path, story("20", "10", start=after("1")))

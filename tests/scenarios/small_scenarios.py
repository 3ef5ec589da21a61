# ruff: noqa: E501 - XML does not break well
"""Tiny OpenSCENARIO files to read: one car, one event, and whatever a test puts in."""

from pathlib import Path

ROAD = """<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="7"/>
<road id="1" length="500" junction="-1"><planView><geometry s="0" x="0" y="0" hdg="0" length="500"><line/></geometry>
</planView><lanes><laneSection s="0"><center><lane id="0" type="none"/></center><right>
<lane id="-1" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane>
<lane id="-2" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane>
</right></laneSection></lanes></road></OpenDRIVE>"""

CAR = """<Vehicle name="car" vehicleCategory="car"><BoundingBox><Center x="1.4" y="0" z="0.9"/>
<Dimensions width="2" length="5" height="1.8"/></BoundingBox>
<Performance maxSpeed="70" maxDeceleration="10" maxAcceleration="10"/>
<Axles><FrontAxle maxSteering="0.5" wheelDiameter="0.8" trackWidth="1.68" positionX="2.98" positionZ="0.4"/>
<RearAxle maxSteering="0" wheelDiameter="0.8" trackWidth="1.68" positionX="0" positionZ="0.4"/></Axles></Vehicle>""".replace(
    "\n", ""
)  # one line, so that tests know the lines of what follows

STEP = '<SpeedActionDynamics dynamicsShape="step" dynamicsDimension="time" value="0"/>'


def speed(value="10"):
    """A private action that sets the speed at once."""
    target = f'<SpeedActionTarget><AbsoluteTargetSpeed value="{value}"/></SpeedActionTarget>'
    return f"<PrivateAction><LongitudinalAction><SpeedAction>{STEP}{target}</SpeedAction></LongitudinalAction></PrivateAction>"


def place(s="50", lane="-1"):
    """A private action that puts a car onto the road."""
    position = f'<Position><LanePosition roadId="1" laneId="{lane}" s="{s}"/></Position>'
    return f"<PrivateAction><TeleportAction>{position}</TeleportAction></PrivateAction>"


def after(seconds="2"):
    """A condition on the time."""
    test = f'<ByValueCondition><SimulationTimeCondition value="{seconds}" rule="greaterThan"/></ByValueCondition>'
    return condition(test)


def condition(test):
    """Groups of one condition."""
    return f'<ConditionGroup><Condition name="c" delay="0" conditionEdge="none">{test}</Condition></ConditionGroup>'


def event(action, name="event", start=None):
    """An event with one action."""
    trigger = f"<StartTrigger>{start or after()}</StartTrigger>"
    return f'<Event name="{name}" priority="override"><Action name="{name}Action">{action}</Action>{trigger}</Event>'


def scenario(
    parameters="", entities=None, init=None, events=None, stop=None, story_parameters="", road="road.xodr", more="",
    group="", minor=3,
):  # fmt: skip
    """The text of a scenario file."""
    entities = f'<ScenarioObject name="Ego">{CAR}</ScenarioObject>' if entities is None else entities
    init = f'<Private entityRef="Ego">{place()}{speed()}</Private>' if init is None else init
    events = event(speed("20")) if events is None else events
    maneuver = f'<Maneuver name="maneuver">{events}</Maneuver>' if events else ""
    story = (
        f'<Story name="story">{story_parameters}<Act name="act"><ManeuverGroup name="group" maximumExecutionCount="1">'
        f'<Actors selectTriggeringEntities="false"><EntityRef entityRef="Ego"/></Actors>{group}{maneuver}'
        "</ManeuverGroup></Act></Story>"
    )
    return (
        f'<?xml version="1.0"?>\n<OpenSCENARIO>\n<FileHeader revMajor="1" revMinor="{minor}" date="2026-01-01T00:00:00" '
        f'description="tiny" author="us"/>\n<ParameterDeclarations>{parameters}</ParameterDeclarations>\n{more}\n'
        f'<RoadNetwork><LogicFile filepath="{road}"/></RoadNetwork>\n<Entities>{entities}</Entities>\n'
        f"<Storyboard><Init><Actions>{init}</Actions></Init>\n{story}\n"
        f"<StopTrigger>{stop or after('5')}</StopTrigger></Storyboard>\n</OpenSCENARIO>\n"
    )


def parameter(name, value, kind="double", constraints=""):
    """A declaration."""
    return f'<ParameterDeclaration name="{name}" parameterType="{kind}" value="{value}">{constraints}</ParameterDeclaration>'


def write(folder, text, name="scene.xosc"):
    """Write a scenario and its road."""
    folder = Path(folder)
    (folder / "road.xodr").write_text(ROAD, encoding="utf-8")
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def variation(scenario_name, blocks):
    """The text of a parameter variation file."""
    return (
        '<?xml version="1.0"?>\n<OpenSCENARIO><FileHeader revMajor="1" revMinor="3" date="2026-01-01T00:00:00" '
        f'description="" author=""/>\n<ParameterValueDistribution><ScenarioFile filepath="{scenario_name}"/>'
        f"<Deterministic>{blocks}</Deterministic></ParameterValueDistribution></OpenSCENARIO>\n"
    )


def one_of(name, *values):
    """A distribution over values."""
    elements = "".join(f'<Element value="{value}"/>' for value in values)
    return _single(name, f"<DistributionSet>{elements}</DistributionSet>")


def steps(name, low, high, step):
    """A distribution over a range."""
    limits = f'<Range lowerLimit="{low}" upperLimit="{high}"/>'
    return _single(name, f'<DistributionRange stepWidth="{step}">{limits}</DistributionRange>')


def _single(name, inner):
    tag = "DeterministicSingleParameterDistribution"
    return f'<{tag} parameterName="{name}">{inner}</{tag}>'

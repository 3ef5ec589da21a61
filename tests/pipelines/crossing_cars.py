# ruff: noqa: E501 - XML does not break well
"""A two-car scenario with parameters, and a variation of it, for tests of scenarios and suites."""

from pathlib import Path

ROAD = """<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="7"/>
<road id="1" length="600" junction="-1"><planView><geometry s="0" x="0" y="0" hdg="0" length="600"><line/></geometry>
</planView><lanes><laneSection s="0"><center><lane id="0" type="none"/></center><right>
<lane id="-1" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane>
<lane id="-2" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane>
</right></laneSection></lanes></road></OpenDRIVE>"""


def _car(name, length):
    return (
        f'<ScenarioObject name="{name}"><Vehicle name="{name}" vehicleCategory="car"><BoundingBox><Center x="1.4" y="0" z="0.9"/>'
        f'<Dimensions width="2" length="{length}" height="1.8"/></BoundingBox>'
        '<Performance maxSpeed="70" maxDeceleration="10" maxAcceleration="10"/><Axles>'
        '<FrontAxle maxSteering="0.5" wheelDiameter="0.8" trackWidth="1.68" positionX="2.98" positionZ="0.4"/>'
        '<RearAxle maxSteering="0" wheelDiameter="0.8" trackWidth="1.68" positionX="0" positionZ="0.4"/></Axles>'
        "</Vehicle></ScenarioObject>"
    )


def _start(name, s, speed, lane):
    return (
        f'<Private entityRef="{name}"><PrivateAction><TeleportAction><Position><LanePosition roadId="1" laneId="{lane}" s="{s}"/>'
        "</Position></TeleportAction></PrivateAction><PrivateAction><LongitudinalAction><SpeedAction>"
        '<SpeedActionDynamics dynamicsShape="step" dynamicsDimension="time" value="0"/><SpeedActionTarget>'
        f'<AbsoluteTargetSpeed value="{speed}"/></SpeedActionTarget></SpeedAction></LongitudinalAction></PrivateAction></Private>'
    )


SCENARIO = (
    '<?xml version="1.0"?><OpenSCENARIO><FileHeader revMajor="1" revMinor="3" date="2026-01-01T00:00:00" description="" author=""/>'
    '<ParameterDeclarations><ParameterDeclaration name="v" parameterType="double" value="20"><ConstraintGroup>'
    '<ValueConstraint rule="lessOrEqual" value="30"/></ConstraintGroup></ParameterDeclaration>'
    '<ParameterDeclaration name="gap" parameterType="double" value="60"/>'
    '<ParameterDeclaration name="lane" parameterType="int" value="-1"/></ParameterDeclarations>'
    '<RoadNetwork><LogicFile filepath="road.xodr"/></RoadNetwork>'
    f"<Entities>{_car('Ego', 5)}{_car('Lead', 4)}</Entities>"
    f"<Storyboard><Init><Actions>{_start('Ego', 50, '$v', -1)}{_start('Lead', '${50 + $gap}', '5', '$lane')}</Actions></Init>"
    '<StopTrigger><ConditionGroup><Condition name="end" delay="0" conditionEdge="none"><ByValueCondition>'
    '<SimulationTimeCondition value="8" rule="greaterOrEqual"/></ByValueCondition></Condition></ConditionGroup></StopTrigger>'
    "</Storyboard></OpenSCENARIO>"
)


def _single(name, inner):
    tag = "DeterministicSingleParameterDistribution"
    return f'<{tag} parameterName="{name}">{inner}</{tag}>'


def _range(name, low, high, step):
    limits = f'<Range lowerLimit="{low}" upperLimit="{high}"/>'
    return _single(name, f'<DistributionRange stepWidth="{step}">{limits}</DistributionRange>')


VARIATION = (
    '<?xml version="1.0"?><OpenSCENARIO><FileHeader revMajor="1" revMinor="3" date="2026-01-01T00:00:00" description="" author=""/>'
    '<ParameterValueDistribution><ScenarioFile filepath="cars.xosc"/><Deterministic>'
    f"{_range('v', 10, 35, 5)}{_range('gap', 20, 80, 20)}"
    f"{_single('lane', '<DistributionSet><Element value=' + chr(34) + '-1' + chr(34) + '/><Element value=' + chr(34) + '-2' + chr(34) + '/></DistributionSet>')}"
    "</Deterministic></ParameterValueDistribution></OpenSCENARIO>"
)
RUNS, DISCARDED = 48, 8  # six speeds, one too high, four gaps, two lanes


def write_cars(folder):
    """Write road, scenario and variation; returns the paths of the last two."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "road.xodr").write_text(ROAD)
    (folder / "cars.xosc").write_text(SCENARIO)
    (folder / "cars_variation.xosc").write_text(VARIATION)
    return folder / "cars.xosc", folder / "cars_variation.xosc"

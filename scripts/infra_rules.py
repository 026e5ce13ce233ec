"""What CloudFormation, CloudWatch and EC2 refuse only when a template is deployed, and cfn-lint does not know."""

import re
import sys

import yaml

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html
METRICS_OF_AN_ALARM = 10
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")


class Loader(yaml.SafeLoader):
    """Reads `!Sub x` as `{"Fn::Sub": x}`."""


def function(loader, tag, node):
    name = tag if tag in ("Ref", "Condition") else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    construct = loader.construct_sequence if isinstance(node, yaml.SequenceNode) else loader.construct_mapping
    return {name: construct(node, deep=True)}


Loader.add_multi_constructor("!", function)


def entries(value):
    """Every key with its value, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, inner
            yield from entries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from entries(inner)


def alarm(_, resource):
    metrics = sum("MetricStat" in metric for metric in resource["Properties"].get("Metrics", []))
    if metrics > METRICS_OF_AN_ALARM:
        yield f"looks at {metrics} metrics; an alarm may look at {METRICS_OF_AN_ALARM}"


def security_group(_, resource):
    for key, text in entries(resource["Properties"]):
        if key in ("GroupDescription", "Description") and isinstance(text, str) and not DESCRIPTION.fullmatch(text):
            yield f"EC2 refuses the description {text!r}: at most 255 of a-z, A-Z, 0-9 and . _-:/()#,@[]+=&;{{}}!$*"


def choice(template, resource):
    # Also in the branch of an Fn::If that is not taken: CloudFormation looks it up all the same.
    for key, argument in entries(resource):
        if key == "Fn::FindInMap" and isinstance(argument[2], dict):
            parameter = template["Parameters"].get(argument[2].get("Ref"), {})
            known = template["Mappings"][argument[0]].get(argument[1], {}) if isinstance(argument[1], str) else {}
            missing = [value for value in parameter.get("AllowedValues", []) if value not in known]
            if missing:
                yield f"the map {argument[0]} has no {', '.join(missing)}, which {argument[2]['Ref']} may be"


RULES = [("AWS::CloudWatch::Alarm", alarm), ("AWS::EC2::SecurityGroup", security_group), ("AWS::", choice)]


def main(files):
    broken = 0
    for file in files:
        with open(file, encoding="utf-8") as text:
            template = yaml.load(text, Loader)
        for name, resource in template["Resources"].items():
            for kind, rule in RULES:
                for reason in rule(template, resource) if resource["Type"].startswith(kind) else ():
                    print(f"{file}: {name}: {reason}", file=sys.stderr)
                    broken += 1
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

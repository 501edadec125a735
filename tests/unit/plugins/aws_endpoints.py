"""Prints aws_endpoints.inc: where botocore finds the services, and which regions it knows.

    $(scripts/venv.sh) tests/unit/plugins/aws_endpoints.py > tests/unit/plugins/aws_endpoints.inc

test_aws_credentials.py checks that what it prints is what is committed.
"""

import sys

import botocore.loaders
from botocore.endpoint_provider import EndpointProvider

SERVICES = {"secretsmanager": "secretsmanager", "ssm": "ssm", "acm": "acm", "tagging": "resourcegroupstaggingapi", "sts": "sts"}
SAMPLES = ["eu-central-1", "us-east-1", "cn-north-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1",
           "us-isof-south-1", "eusc-de-east-1"]


def main(out):
    loader = botocore.loaders.Loader()
    partitions = loader.load_data("partitions")
    out.write("/* Made by aws_endpoints.py. */\n#ifdef REGIONS\n")
    for region in sorted(r for p in partitions["partitions"] for r in p["regions"] if not r.endswith("-global")):
        out.write(f'"{region}",\n')
    out.write("#endif\n#ifdef ENDPOINTS\n")
    for service, folder in SERVICES.items():
        rules = EndpointProvider(loader.load_service_model(folder, "endpoint-rule-set-1"), partitions)
        for region in SAMPLES:
            for fips in (False, True):
                for dual in (False, True):
                    given = {"Region": region, "UseFIPS": fips, "UseDualStack": dual}
                    given.update({"sts": {"UseGlobalEndpoint": False}, "acm": {"ServiceType": "ACM"}}.get(service, {}))
                    url = rules.resolve_endpoint(**given).url
                    out.write(f'{{"{service}", "{region}", {int(fips)}, {int(dual)}, "{url}/"}},\n')
    out.write("#endif\n")


if __name__ == "__main__":
    main(sys.stdout)

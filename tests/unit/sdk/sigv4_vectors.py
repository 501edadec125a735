"""Prints sigv4_vectors.inc: requests with the signatures that botocore makes of them.

    $(scripts/venv.sh) tests/unit/sdk/sigv4_vectors.py > tests/unit/sdk/sigv4_vectors.inc

test_aws_credentials.py checks that what it prints is what is committed.
"""

import datetime
import json
import sys
from unittest import mock

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 3, 1, 4, 5, 6)
ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
JSON_1_1 = "application/x-amz-json-1.1"
FORM = "application/x-www-form-urlencoded; charset=utf-8"

CASES = [
    # name, method, url, headers, body, region, service, token
    ("GetSecretValue", "POST", "https://secretsmanager.eu-central-1.amazonaws.com/",
     {"Content-Type": JSON_1_1, "X-Amz-Target": "secretsmanager.GetSecretValue"}, '{"SecretId":"db"}',
     "eu-central-1", "secretsmanager", ""),
    ("with a session token", "POST", "https://secretsmanager.eu-central-1.amazonaws.com/",
     {"Content-Type": JSON_1_1, "X-Amz-Target": "secretsmanager.GetSecretValue"}, '{"SecretId":"db"}',
     "eu-central-1", "secretsmanager", "FwoGZXIvYXdzEBYaD//+=="),
    ("GetParameter in China", "POST", "https://ssm.cn-north-1.amazonaws.com.cn/",
     {"Content-Type": JSON_1_1, "X-Amz-Target": "AmazonSSM.GetParameter"}, '{"Name":"/a/b","WithDecryption":true}',
     "cn-north-1", "ssm", ""),
    ("a body of UTF-8", "POST", "https://ssm.us-east-1.amazonaws.com/",
     {"Content-Type": JSON_1_1, "X-Amz-Target": "AmazonSSM.PutParameter"}, '{"Name":"/\u00fc","Value":"\u4e2d\u6587"}',
     "us-east-1", "ssm", ""),
    ("AssumeRole", "POST", "https://sts.us-gov-west-1.amazonaws.com/", {"Content-Type": FORM},
     "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr", "us-gov-west-1", "sts", ""),
    ("GetCallerIdentity as Vault sees it", "POST", "https://sts.amazonaws.com/",
     {"Content-Type": FORM, "X-Vault-AWS-IAM-Server-ID": "vault.example.com"},
     "Action=GetCallerIdentity&Version=2011-06-15", "us-east-1", "sts", ""),
    ("a port of its own", "POST", "http://127.0.0.1:5000/", {"Content-Type": JSON_1_1}, "{}", "us-east-1", "acm", ""),
    ("the usual port", "POST", "https://vpce-1.secretsmanager.us-east-1.vpce.amazonaws.com:443/",
     {"Content-Type": JSON_1_1}, "{}", "us-east-1", "secretsmanager", ""),
    ("a query", "GET", "https://sts.amazonaws.com/?b=2&a=1&a=0&c", {}, "", "us-east-1", "sts", ""),
    ("a path below the host", "POST", "https://gateway.example.com/aws/secrets%20manager/",
     {"Content-Type": JSON_1_1}, "{}", "us-east-1", "secretsmanager", ""),
    ("values with spaces", "POST", "https://ssm.us-east-1.amazonaws.com/",
     {"X-Note": "  one   two  ", "Content-Type": JSON_1_1}, "{}", "us-east-1", "ssm", ""),
]


def sign(method, url, headers, body, region, service, token):
    """The (SignedHeaders, Signature) of botocore."""
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body.encode())
    with mock.patch.object(botocore.auth, "get_current_datetime", lambda *_, **__: NOW, create=True):
        botocore.auth.SigV4Auth(Credentials(ID, SECRET, token or None), service, region).add_auth(request)
    fields = dict(part.split("=", 1) for part in request.headers["Authorization"].split(" ", 1)[1].split(", "))
    return fields["SignedHeaders"], fields["Signature"]


def c(text):
    """A literal of C, in ASCII."""
    out = ""
    for byte in text.encode():
        out += chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\' else f"\\{byte:03o}"
    return f'"{out}"'


def main(out):
    now = int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)
    out.write("/* Made by sigv4_vectors.py. */\n")
    for name, method, url, headers, body, region, service, token in CASES:
        names, signature = sign(method, url, headers, body, region, service, token)
        pairs = ", ".join(f"{{{c(k)}, {c(v)}}}" for k, v in headers.items()) or "{NULL, NULL}"
        out.write(f"{{{c(name)}, {c(method)}, {c(url)}, {c(body)},\n {{{pairs}}},\n {c(region)}, {c(service)}, {now},\n"
                  f" {c(token)}, {c(names)},\n {c(signature)}}},\n")


if __name__ == "__main__":
    main(sys.stdout)

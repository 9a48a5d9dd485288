"""The samples for CloudFormation and Terraform: they are right, each kind of mistake is found, and moto makes the stack."""

import os
import unittest
from unittest import mock

import boto3
from moto import mock_aws

from fidelity import samples

TEMPLATE = samples.TEMPLATE.read_text()
TERRAFORM = "\n".join(file.read_text() for file in sorted(samples.CONFIGURATION.glob("*.tf")))


class Samples(unittest.TestCase):
    def test_they_are_right(self):
        self.assertEqual(samples.check(), [])

    def test_mistakes_in_the_template_are_found(self):
        for right, wrong, said in [
            ("InstanceProfileName:", "ProfileName:", "'ProfileName'"),
            ("!Ref WorkerRole]", "!Ref WorkersRole]", "WorkersRole"),
            ('"sqs:ReceiveMessage", ', "", "the policy of the gateway is not docs/iam/gateway.json"),
        ]:
            self.assertIn(right, TEMPLATE)
            found = samples.template(TEMPLATE.replace(right, wrong))
            self.assertTrue(any(said in problem for problem in found), f"{wrong}: {found}")

    def test_mistakes_in_the_configuration_are_found(self):
        for right, wrong, said in [
            ("var.vpc_id", "var.vpc", "uses var.vpc, "),
            ("local.trust\n", "local.trusts\n", "uses local.trusts, "),
            ("aws_security_group.worker.id", "aws_security_group.workers.id", "uses aws_security_group.workers, "),
            ("var.vpc_id", '"vpc-1"', "declares var.vpc_id and does not use it"),
            ("locals {", "locals [", "cannot be read"),
        ]:
            self.assertIn(right, TERRAFORM)
            found = samples.configuration(TERRAFORM.replace(right, wrong))
            self.assertTrue(any(said in problem for problem in found), f"{wrong}: {found}")


class Stack(unittest.TestCase):
    @mock_aws
    @mock.patch.dict(os.environ, {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"})
    def test_it_can_be_made(self):
        for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
            del os.environ[name]
        clients = {name: boto3.client(name, region_name="us-east-1") for name in ("cloudformation", "ec2", "iam", "s3")}
        vpc = clients["ec2"].create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        parameters = [{"ParameterKey": "Fleet", "ParameterValue": "photos"}, {"ParameterKey": "VpcId", "ParameterValue": vpc}]
        made = {"StackName": "photos", "TemplateBody": TEMPLATE, "Parameters": parameters, "Capabilities": ["CAPABILITY_NAMED_IAM"]}
        clients["cloudformation"].create_stack(**made)
        outputs = clients["cloudformation"].describe_stacks(StackName="photos")["Stacks"][0]["Outputs"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in outputs}
        profile = clients["iam"].get_instance_profile(InstanceProfileName=outputs["InstanceProfile"])["InstanceProfile"]
        self.assertEqual([role["RoleName"] for role in profile["Roles"]], ["classifierfleet-worker"])
        policy = clients["iam"].get_role_policy(RoleName="classifierfleet-gateway", PolicyName="fleet")["PolicyDocument"]
        self.assertIn("arn:aws:sqs:*:*:photos-requests", str(policy))
        group = clients["ec2"].describe_security_groups(GroupIds=[outputs["SecurityGroup"]])["SecurityGroups"][0]
        self.assertEqual((group["VpcId"], group["IpPermissions"]), (vpc, []))
        clients["s3"].head_bucket(Bucket="photos-models")


if __name__ == "__main__":
    unittest.main()

# What a fleet needs in AWS before it is applied: three roles, the security group of its workers, a bucket for models.
# docs/aws.md says how to use it. The policies are those of docs/iam, for a fleet of this name; the operator makes the rest.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.40"
    }
  }
}

locals {
  policies = {
    for name in ["operator", "gateway", "worker"] :
    name => replace(file("${path.module}/../../docs/iam/${name}.json"), "imagenet", var.fleet)
  }
  pods = { Service = "pods.eks.amazonaws.com" }
  trust = {
    operator = { principal = local.pods, actions = ["sts:AssumeRole", "sts:TagSession"] }
    gateway  = { principal = local.pods, actions = ["sts:AssumeRole", "sts:TagSession"] }
    worker   = { principal = { Service = "ec2.amazonaws.com" }, actions = ["sts:AssumeRole"] }
  }
  service_accounts = {
    operator = { namespace = var.operator_namespace, name = var.operator_service_account }
    gateway  = { namespace = var.fleet_namespace, name = "${var.fleet}-gateway" }
  }
}

resource "aws_iam_role" "program" {
  for_each = local.trust

  name = "classifierfleet-${each.key}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = each.value.principal, Action = each.value.actions }]
  })
}

resource "aws_iam_role_policy" "program" {
  for_each = local.policies

  name   = "fleet"
  role   = aws_iam_role.program[each.key].id
  policy = each.value
}

resource "aws_iam_instance_profile" "worker" {
  name = "classifierfleet-worker"
  role = aws_iam_role.program["worker"].name
}

# Nobody calls a worker. DNS, time and instance metadata are not subject to security groups.
resource "aws_security_group" "worker" {
  name_prefix = "${var.fleet}-worker-"
  description = "Workers of a ClassifierFleet, HTTPS out and nothing in"
  vpc_id      = var.vpc_id

  egress {
    description = "SQS and S3 and EC2"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_s3_bucket" "models" {
  bucket = "${var.fleet}-models"
}

resource "aws_s3_bucket_public_access_block" "models" {
  bucket                  = aws_s3_bucket.models.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# The pods' roles by EKS Pod Identity. Without a cluster's name, another way gives them to the pods.
resource "aws_eks_pod_identity_association" "program" {
  for_each = { for program, account in local.service_accounts : program => account if var.eks_cluster != "" }

  cluster_name    = var.eks_cluster
  namespace       = each.value.namespace
  service_account = each.value.name
  role_arn        = aws_iam_role.program[each.key].arn
}

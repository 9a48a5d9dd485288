output "operator_role_arn" {
  value = aws_iam_role.program["operator"].arn
}

output "gateway_role_arn" {
  value = aws_iam_role.program["gateway"].arn
}

output "instance_profile" {
  value       = aws_iam_instance_profile.worker.name
  description = "For workers.template.instanceProfile."
}

output "security_group" {
  value       = aws_security_group.worker.id
  description = "For workers.template.securityGroupIds."
}

output "model_bucket" {
  value = aws_s3_bucket.models.id
}

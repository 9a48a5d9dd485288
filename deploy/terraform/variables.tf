variable "fleet" {
  type        = string
  default     = "imagenet"
  description = "Name of the fleet. Its queues and buckets begin with it; names of buckets are global, so take one of your own."
}

variable "vpc_id" {
  type        = string
  description = "Where the workers run. They need a way out to SQS, S3 and EC2."
}

variable "eks_cluster" {
  type        = string
  default     = ""
  description = "EKS cluster whose pods get the roles by Pod Identity. Empty: another way gives them to the pods."
}

variable "operator_namespace" {
  type        = string
  default     = "classifierfleet"
  description = "Namespace of the operator."
}

variable "operator_service_account" {
  type        = string
  default     = "classifier-fleet"
  description = "Service account of the operator."
}

variable "fleet_namespace" {
  type        = string
  default     = "default"
  description = "Namespace of the fleet."
}

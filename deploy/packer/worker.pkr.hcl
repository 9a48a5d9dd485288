# A private AMI that holds the worker, and a model if wished: its workers boot without fetching either.
#
#   cargo xtask dist --program worker
#   packer init deploy/packer
#   packer build -var worker=target/dist/classifierfleet-worker-x86_64 deploy/packer
#
# The systemd unit is not in it: the operator's user data brings the one that fits the operator.

variable "worker" {
  type        = string
  description = "The program for the architecture of the AMI, as `cargo xtask dist` makes it."
}

variable "architecture" {
  type        = string
  default     = "x86_64"
  description = "EC2's name of the architecture: x86_64 or arm64."
}

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "instance_type" {
  type        = string
  default     = ""
  description = "What the AMI is made on. Default: t3.micro, or t4g.micro for arm64."
}

variable "subnet_id" {
  type        = string
  default     = ""
  description = "Where the AMI is made; SSH from here must reach it. Default: the default VPC."
}

variable "model" {
  type        = string
  default     = ""
  description = "Folder of a model, without a / at its end, to put into the AMI, for a fleet with model.uri file:///opt/classifierfleet/model. Default: none."
}

variable "name" {
  type    = string
  default = "classifierfleet-worker"
}

locals {
  default_type = var.architecture == "arm64" ? "t4g.micro" : "t3.micro"
  made_at      = formatdate("YYYYMMDD-hhmmss", timestamp())
}

source "amazon-ebs" "worker" {
  region        = var.region
  instance_type = var.instance_type != "" ? var.instance_type : local.default_type
  subnet_id     = var.subnet_id
  ssh_username  = "ec2-user"
  # The key of the build is not left in the AMI.
  ssh_clear_authorized_keys = true

  source_ami_filter {
    filters = {
      name                = "al2023-ami-2023.*-kernel-*"
      architecture        = var.architecture
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
    owners      = ["amazon"]
    most_recent = true
  }

  ami_name        = "${var.name}-${var.architecture}-${local.made_at}"
  ami_description = "ClassifierFleet worker, ${var.architecture}"
  tags = {
    Name = var.name
  }
}

build {
  sources = ["source.amazon-ebs.worker"]

  provisioner "shell" {
    inline = ["mkdir -p /tmp/made"]
  }

  provisioner "file" {
    sources     = compact([var.worker, var.model])
    destination = "/tmp/made/"
  }

  provisioner "shell" {
    inline = [
      "set -eu",
      "sudo install -o root -g root -m 755 /tmp/made/${basename(var.worker)} /usr/local/bin/classifierfleet-worker",
      # One for another architecture ends here, and not in a fleet.
      "/usr/local/bin/classifierfleet-worker --version",
      "sudo mkdir -p /opt/classifierfleet",
      var.model == "" ? "true" : "sudo cp -r /tmp/made/${basename(var.model)} /opt/classifierfleet/model",
      "sudo chmod -R a+rX,go-w /opt/classifierfleet",
      "sudo rm -rf /tmp/made",
      # So that cloud-init takes each instance for a new one.
      "sudo cloud-init clean --logs",
    ]
  }
}

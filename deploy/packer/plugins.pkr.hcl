# Packer 1.7 and newer install it with `packer init deploy/packer`; older ones have it built in, and read worker.pkr.hcl alone.
packer {
  required_version = ">= 1.7.0"
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.2.8"
    }
  }
}

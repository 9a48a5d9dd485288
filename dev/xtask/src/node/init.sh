# The first process of a node, in namespaces of its own: makes what must be mounted there, then waits, as `pause` does.
# $1: the file that gets its process id, as the machine outside counts; $2: pause.
set -eu
# Before /proc shows the ids inside, and before a file in /var would be one of the node's own.
read -r pid rest < /proc/self/stat
exec 3> "$1"
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
# What network plugins, kubelet and containerd write into /var ends with the node.
mkdir -p /run/var/upper /run/var/work /run/sysctl
mount -t overlay overlay -o lowerdir=/var,upperdir=/run/var/upper,workdir=/run/var/work /var
# kubelet sets these, for the whole machine, unless they read as it wants them.
pin() {
  printf '%s\n' "$2" > "/run/sysctl/${1##*/}"
  mount --bind "/run/sysctl/${1##*/}" "/proc/sys/$1"
}
pin vm/overcommit_memory 1
pin vm/panic_on_oom 0
pin kernel/panic 10
pin kernel/panic_on_oops 1
pin kernel/keys/root_maxkeys 1000000
pin kernel/keys/root_maxbytes 25000000
# Of these namespaces alone: between pods, and between pods and the machine.
echo 1 > /proc/sys/net/ipv4/ip_forward
echo "$pid" >&3
exec 3>&-
exec "$2"

"""Works on a device as engineers' programs do: two connections through one to the gateway, host keys as they were pinned."""

import faulthandler
import io
import stat
import sys

import paramiko

# What waits for ever says where.
faulthandler.dump_traceback_later(120, exit=True)

config = paramiko.SSHConfig.from_path(sys.argv[1])
lines = paramiko.SSHConfig.from_path(sys.argv[2])
ne = sys.argv[3]


def unquoted(text):
    return text.strip('"')


def known_hosts(host):
    """Only what lineman wrote is believed; paramiko looks a name up, so the gateway's goes in under its alias."""
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    client.load_host_keys(unquoted(config.lookup(host)["userknownhostsfile"]))
    return client


def settings(host):
    found = config.lookup(host)
    return {"username": found["user"], "key_filename": unquoted(found["identityfile"][0]), "look_for_keys": False, "allow_agent": False}


def gateway():
    found = config.lookup("centre")
    client = known_hosts("centre")
    pinned = client.get_host_keys().lookup(found["hostkeyalias"])
    for kind in pinned.keys():
        client.get_host_keys().add("[%s]:%s" % (found["hostname"], found["port"]), kind, pinned[kind])
    client.connect(found["hostname"], int(found["port"]), **settings("centre"))
    return client.get_transport()


def device(sock, client=None):
    client = client or known_hosts(ne)
    client.connect(ne, sock=sock, **settings(ne))
    return client


def through(jump):
    return jump.open_channel("direct-tcpip", (ne, 22), ("127.0.0.1", 0))


def fails(kind, text, action, *args):
    try:
        action(*args)
    except kind as error:
        assert text in str(error), error
    else:
        raise AssertionError("%s was not refused" % text)


jump = gateway()
first = device(through(jump))

# A command, with all that belongs to one.
stdin, stdout, stderr = first.exec_command("echo out; echo err >&2; cat; exit 7")
stdin.write("in\n")
stdin.channel.shutdown_write()
assert (stdout.read(), stderr.read(), stdout.channel.recv_exit_status()) == (b"out\nin\n", b"err\n", 7)

# Files.
sftp = first.open_sftp()
blob = bytes(range(250)) * 12000
sftp.putfo(io.BytesIO(blob), "blob")
back = io.BytesIO()
sftp.getfo("blob", back)
assert back.getvalue() == blob
assert sftp.stat("blob").st_size == len(blob) and stat.S_ISREG(sftp.stat("blob").st_mode)
assert {"bin", "sensors", "blob"} <= set(sftp.listdir("."))
assert [entry.filename for entry in sftp.listdir_attr("bin")] == ["ne"]
sftp.rename("blob", "one")
sftp.posix_rename("one", "two")
sftp.chmod("two", 0o600)
sftp.truncate("two", 10)
sftp.utime("two", (1, 2))
assert (sftp.stat("two").st_size, sftp.stat("two").st_mtime, stat.S_IMODE(sftp.stat("two").st_mode)) == (10, 2, 0o600)
with sftp.open("two", "a") as file:
    file.write("tail")
with sftp.open("two", "r+") as file:
    file.seek(8)
    assert file.read() == b"\x08\ttail", "appended, and read from the middle"
sftp.symlink("two", "link")
assert sftp.readlink("link") == "two" and stat.S_ISLNK(sftp.lstat("link").st_mode)
sftp.mkdir("folder")
sftp.rmdir("folder")
sftp.remove("link")
fails(FileNotFoundError, "No such file", sftp.stat, "none")
fails(PermissionError, "ermission denied", sftp.open, "/etc/shadow")

# A shell on a terminal that changes its size.
shell = first.invoke_shell(width=100, height=30)
shell.settimeout(60)
seen = b""


def until(text):
    global seen
    while text not in seen:
        part = shell.recv(4096)
        assert part, "it ended before %r: %r" % (text, seen)
        seen += part
    seen = seen.split(text, 1)[1]


shell.send("stty size\r")
until(b"30 100\r\n")
shell.resize_pty(width=120, height=40)
shell.send("until stty size | grep '40 120'; do sleep 0.1; done\r")
until(b"40 120\r\n")
shell.send("exit 3\r")
assert shell.recv_exit_status() == 3

# A connection on a line, over the pipes of the configuration's ProxyCommand.
third = device(paramiko.ProxyCommand(lines.lookup(ne)["proxycommand"]))
assert third.exec_command("echo third")[1].read() == b"third\n"
third.close()

# A second connection beside the first, through the same one to the gateway; both go on.
second = device(through(jump))
running = first.exec_command("read line; echo first-$line")
assert second.exec_command("echo second")[1].read() == b"second\n"
running[0].write("goes on\n")
assert running[1].read() == b"first-goes on\n"

# What is refused, is refused in words; a key that was not pinned is not believed.
fails(paramiko.ChannelException, "rohibited", jump.open_channel, "direct-tcpip", ("ne-9.jw.ne", 22), ("127.0.0.1", 0))
fails(paramiko.ChannelException, "rohibited", first.get_transport().open_channel, "direct-tcpip", ("127.0.0.1", 80), ("127.0.0.1", 0))
fails(paramiko.SSHException, "denied", first.get_transport().request_port_forward, "", 0)
doubtful = known_hosts(ne)
doubtful.get_host_keys().clear()
other = paramiko.Ed25519Key.from_private_key_file(settings(ne)["key_filename"])
doubtful.get_host_keys().add(ne, "ssh-ed25519", other)
fails(paramiko.BadHostKeyException, "does not match", device, through(jump), doubtful)

second.close()
first.close()
jump.close()
print("all as it should be")

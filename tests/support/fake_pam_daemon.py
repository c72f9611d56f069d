#!/usr/bin/python3
"""A daemon for tests of the PAM module: speaks frames on a socket and answers as a plan says.

fake_pam_daemon.py SOCKET DIR

DIR/plan.json is read anew for every request: {"CheckAccount": ANSWER or [ANSWER, ...]}; of a list each request takes
the next, the last one stays; a new plan begins anew. An ANSWER is one of
  {"status": 1, "reply": {...}}             OK; the reply as protobuf's JSON
  {"status": 21, "message": "..", "field": "new_password", "rule": ".."}
  {"raw": "hex"}                            these bytes; then the connection ends
  {"frame": {"status": 1, ...}, "body": "hex"}  a frame with some places changed
  {"hang": true} {"close": true} {"half": true} {"sleep": SECONDS, ...}
Every request is a line of DIR/requests: {"method": .., "millis": .., "request": {...}}, bytes as text in latin-1.
Descriptors are made by protoc from the project's proto/ (the current directory is the project's root).
"""
import base64
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

HEADER = struct.Struct(">IBBHIIIHHQ")  # docs/protocol.md
REQUEST, REPLY = 1, 2


def load_messages():
    protos = sorted(str(p.relative_to("proto")) for p in pathlib.Path("proto").rglob("*.proto"))
    with tempfile.NamedTemporaryFile() as target:
        subprocess.run(["protoc", "-Iproto", "--include_imports", f"--descriptor_set_out={target.name}", *protos],
                       check=True)
        descriptors = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(target.name).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    methods = {}
    for file in descriptors.file:
        pool.Add(file)
        for service in file.service:
            for method in service.method:
                methods[f"{file.package}.{service.name}/{method.name}"] = (method.input_type[1:], method.output_type[1:])
    factory = message_factory.MessageFactory(pool)
    return methods, lambda name: factory.GetPrototype(pool.FindMessageTypeByName(name))


class Daemon:
    def __init__(self, work):
        self.work = work
        self.methods, self.message = load_messages()
        self.plan, self.taken = "", {}  # how many answers of each list were given
        self.lock = threading.Lock()
        self.next_id = 0x5ec0000000000001

    def answer_for(self, method):
        with self.lock:
            plan = (self.work / "plan.json").read_text()
            if plan != self.plan:
                self.plan, self.taken = plan, {}
            answer = json.loads(plan).get(method, {"status": 23})
            if isinstance(answer, list):
                place = self.taken.get(method, 0)
                self.taken[method] = place + 1
                answer = answer[min(place, len(answer) - 1)]
            self.next_id += 1
            return answer, self.next_id

    def log(self, method, millis, request):
        fields = {}
        for field, value in request.ListFields():
            fields[field.name] = self.plain(value)
        with self.lock, open(self.work / "requests", "a", encoding="utf8") as log:
            log.write(json.dumps({"method": method, "millis": millis, "request": fields}) + "\n")

    def plain(self, value):
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if hasattr(value, "ListFields"):
            return {field.name: self.plain(inner) for field, inner in value.ListFields()}
        return value

    def error_body(self, answer):
        status = self.message("google.rpc.Status")()
        status.code, status.message = 3, answer.get("message", "")
        if "field" in answer:
            bad = self.message("google.rpc.BadRequest")()
            bad.field_violations.add(field=answer["field"], description=answer["rule"])
            detail = status.details.add()
            detail.type_url = "type.googleapis.com/google.rpc.BadRequest"
            detail.value = bad.SerializeToString()
        return status.SerializeToString()

    def reply_body(self, method, answer):
        if answer["status"] != 1:
            return self.error_body(answer)
        reply = self.message(self.methods[method][1])()
        fields = dict(answer.get("reply", {}))
        for field in reply.DESCRIPTOR.fields:  # bytes are written as text in a plan
            if field.name in fields and field.type == field.TYPE_BYTES:
                fields[field.name] = base64.b64encode(fields[field.name].encode("latin-1")).decode()
        return json_format.ParseDict(fields, reply).SerializeToString()

    def serve(self, connection):
        while True:
            header = receive(connection, HEADER.size)
            if header is None:
                return
            length, _, kind, _, call, millis, _, name_len, _, _ = HEADER.unpack(header)
            rest = receive(connection, length - (HEADER.size - 4))
            if rest is None or kind != REQUEST:
                return
            method, body = rest[:name_len].decode(), rest[name_len:]
            self.log(method.split("/")[1], millis, self.message(self.methods[method][0]).FromString(body))
            answer, request_id = self.answer_for(method.split("/")[1])
            if not self.play(connection, method, call, answer, request_id):
                return

    def play(self, connection, method, call, answer, request_id):
        """Returns whether the connection goes on."""
        answer.setdefault("status", 1)
        time.sleep(answer.get("sleep", 0))
        if answer.get("hang"):
            time.sleep(600)
        if answer.get("close"):
            return False
        if "raw" in answer:
            connection.sendall(bytes.fromhex(answer["raw"]))
            return False
        frame = {"version": 1, "kind": REPLY, "status": answer["status"], "call": call, "millis": 0, "peer": 0,
                 "name_len": 0, "flags": 0, "request_id": request_id}
        frame.update(answer.get("frame", {}))
        body = bytes.fromhex(answer["body"]) if "body" in answer else self.reply_body(method, answer)
        length = frame.pop("length", HEADER.size - 4 + len(body))
        data = HEADER.pack(length, *frame.values()) + body
        connection.sendall(data[:len(data) // 2] if answer.get("half") else data)
        return not answer.get("half")


def receive(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            return None
        data += more
    return data


def main(path, work):
    daemon = Daemon(work)
    listener = socket.socket(socket.AF_UNIX)
    temporary = path + ".new"
    listener.bind(temporary)
    os.chmod(temporary, 0o666)
    listener.listen(128)
    os.rename(temporary, path)  # whoever sees it can connect

    def run(connection):
        with connection:
            try:
                daemon.serve(connection)
            except OSError:
                pass

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=run, args=(connection,), daemon=True).start()


main(sys.argv[1], pathlib.Path(sys.argv[2]))

"""S3 by moto's server, with boto3 as its client: names that are not paths, and large objects."""

import hashlib
import os
import urllib.request

from apps import AppTest, main, use

use("s3")

NAMES = ["plain", "a//b/../c", "./x", "/lead", "a/../../b", "a%2Fb", "%2e%2e/x", "sp ace+x",
         "100%", "caf\u00e9", "a;b", "a\u0020/ b", "tail/", "q?x=1&y#f"]
MEGABYTES = 12  # in parts of five
AS_IS = """
s3 {{
    listeners {{
        "{listen}"
    }}
    normalization "as-is"
    connectors {{
        "{origin}"
    }}
}}
"""


class S3(AppTest):
    app = "S3 (moto, boto3)"
    program = "s3"

    @classmethod
    def version(cls):
        from apps import version
        return f"{version('moto')}, {version('boto3')}"

    def setUp(self):
        super().setUp()
        self.store = self.port()
        self.start("moto_server", "-H", "127.0.0.1", "-p", self.store.number, at=self.store)

    def client(self, at):
        import boto3
        from botocore.config import Config
        return boto3.client(
            "s3", endpoint_url=f"http://{at}", aws_access_key_id="a", aws_secret_access_key="b",
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0},
                          connect_timeout=10, read_timeout=30))

    def through(self, at, names):
        """What an object of each of these names holds after it was written through `at`, as
        read by a client that does not use River."""
        bucket = "bucket"
        client, direct = self.client(at), self.client(self.store)
        client.create_bucket(Bucket=bucket)
        for name in names:
            client.put_object(Bucket=bucket, Key=name, Body=name.encode())
            self.assertEqual(client.get_object(Bucket=bucket, Key=name)["Body"].read(),
                             name.encode())
        listed = direct.list_objects_v2(Bucket=bucket).get("Contents", [])
        return sorted(entry["Key"] for entry in listed)

    def test_names_are_kept(self):
        """objects named with //, .., ./, %2F, %2e, ?, # and non-ASCII letters; list, delete"""
        port = self.port()
        self.river_file(AS_IS.format(listen=port, origin=self.store),
                        'normalization "as-is"')
        self.assertEqual(self.through(port, NAMES), sorted(NAMES))
        client = self.client(port)
        for name in NAMES:
            client.delete_object(Bucket="bucket", Key=name)
        self.assertNotIn("Contents", client.list_objects_v2(Bucket="bucket"))

    def test_large_objects(self):
        """12 MB in parts, ranges, a copy, a signed address, a missing key"""
        port = self.river_proxy(self.store)
        client = self.client(port)
        client.create_bucket(Bucket="bucket")
        body = os.urandom(MEGABYTES << 20)
        upload = client.create_multipart_upload(Bucket="bucket", Key="large")["UploadId"]
        size, parts = 5 << 20, []
        for at in range(0, len(body), size):
            number = len(parts) + 1
            part = client.upload_part(Bucket="bucket", Key="large", UploadId=upload,
                                      PartNumber=number, Body=body[at:at + size])
            parts.append({"ETag": part["ETag"], "PartNumber": number})
        client.complete_multipart_upload(Bucket="bucket", Key="large", UploadId=upload,
                                         MultipartUpload={"Parts": parts})
        got = client.get_object(Bucket="bucket", Key="large")["Body"].read()
        self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(body).digest())
        part = client.get_object(Bucket="bucket", Key="large", Range="bytes=1000-1999")
        self.assertEqual(part["Body"].read(), body[1000:2000])
        client.copy_object(Bucket="bucket", Key="copy",
                           CopySource={"Bucket": "bucket", "Key": "large"})
        address = client.generate_presigned_url("get_object",
                                                Params={"Bucket": "bucket", "Key": "copy"})
        with urllib.request.urlopen(address, timeout=30) as answer:
            self.assertEqual(answer.read(), body)
        with self.assertRaises(client.exceptions.NoSuchKey):
            client.get_object(Bucket="bucket", Key="none")

    def test_names_by_default(self):
        """by default a//b/../c is stored as a/c: the reason for "as-is" """
        port = self.river_proxy(self.store)
        client, direct = self.client(port), self.client(self.store)
        client.create_bucket(Bucket="bucket")
        client.put_object(Bucket="bucket", Key="a//b/../c", Body=b"x")
        listed = direct.list_objects_v2(Bucket="bucket")["Contents"]
        self.assertEqual([entry["Key"] for entry in listed], ["a/c"])


if __name__ == "__main__":
    main()

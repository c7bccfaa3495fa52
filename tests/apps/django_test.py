"""Django with its admin, served by gunicorn: the Host check, CSRF, sessions, https."""

import os
import re

from apps import AppTest, harness, main, pinned, place, use, version

use("django")

SETTINGS = """
DEBUG = False
SECRET_KEY = "x" * 60
ALLOWED_HOSTS = ["app.example"]
ROOT_URLCONF = "site_urls"
ROOT_DIR = {directory!r}
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3",
                         "NAME": {directory!r} + "/db.sqlite3"}}}}
INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                  "django.contrib.sessions", "django.contrib.messages"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware",
              "django.contrib.sessions.middleware.SessionMiddleware",
              "django.middleware.common.CommonMiddleware",
              "django.middleware.csrf.CsrfViewMiddleware",
              "django.contrib.auth.middleware.AuthenticationMiddleware",
              "django.contrib.messages.middleware.MessageMiddleware"]
TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
              "OPTIONS": {{"context_processors": [
                  "django.template.context_processors.request",
                  "django.contrib.auth.context_processors.auth",
                  "django.contrib.messages.context_processors.messages"]}}}}]
"""
URLS = """
from django.contrib import admin
from django.http import JsonResponse
from django.urls import path

def seen(request):
    return JsonResponse({"host": request.get_host(), "secure": request.is_secure(),
                         "url": request.build_absolute_uri("/x"),
                         "address": request.META.get("HTTP_X_FORWARDED_FOR")})

urlpatterns = [path("admin/", admin.site.urls), path("seen/", seen)]
"""
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
NAME = "app.example"
OWN_NAME = """
site {{
    listeners {{
        "{listen}"
    }}
    host "{name}"
    connectors {{
        "{origin}"
    }}
}}
"""


class Django(AppTest):
    app = "Django admin (gunicorn)"
    program = "django"

    @classmethod
    def version(cls):
        return f"{version('Django')}, {version('gunicorn')}"

    def setUp(self):
        super().setUp()
        directory = self.directory()
        for name, text in (("site_settings.py", SETTINGS.format(directory=directory)),
                           ("site_urls.py", URLS)):
            with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
                file.write(text)
        environment = {"DJANGO_SETTINGS_MODULE": "site_settings", "PYTHONPATH": directory}
        self.manage(environment, "migrate", "-v", "0")
        self.manage({**environment, "DJANGO_SUPERUSER_PASSWORD": "secret"}, "createsuperuser",
                    "--noinput", "--username", "root", "--email", "root@app.example")
        self.site = self.port()
        self.start("gunicorn", "-b", self.site, "-w", "1", "--threads", "4",
                   "django.core.wsgi:get_wsgi_application()", at=self.site, directory=directory,
                   environment=environment)

    def manage(self, environment, *words):
        import subprocess
        done = subprocess.run([place("django", "bin", "django-admin"), *words],
                              env={**os.environ, **environment}, capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_admin_login(self):
        """https: form with CSRF token, login, a user added, logout; a form without a token and
        one from another site are 403"""
        import requests
        port = self.river_proxy(self.site, tls=True)
        base = f"https://{NAME}:{port.number}"
        session = requests.Session()
        session.verify = self.authority
        with pinned(NAME):
            page = session.get(base + "/admin/login/?next=/admin/", timeout=30)
            self.assertEqual(page.status_code, 200, page.text)
            form = {"username": "root", "password": "secret", "next": "/admin/",
                    "csrfmiddlewaretoken": TOKEN.search(page.text)[1]}
            refused = session.post(base + "/admin/login/", timeout=30,
                                   data={**form, "csrfmiddlewaretoken": ""},
                                   headers={"Referer": base + "/admin/login/"})
            self.assertEqual(refused.status_code, 403)
            foreign = session.post(base + "/admin/login/", data=form, timeout=30,
                                   headers={"Origin": "https://evil.example"})
            self.assertEqual(foreign.status_code, 403)
            inside = session.post(base + "/admin/login/", data=form, timeout=30,
                                  headers={"Origin": base})
            self.assertEqual(inside.status_code, 200)
            self.assertEqual(inside.url, base + "/admin/")
            self.assertIn("Site administration", inside.text)
            page = session.get(base + "/admin/auth/user/add/", timeout=30)
            added = session.post(base + "/admin/auth/user/add/", timeout=30,
                                 data={"csrfmiddlewaretoken": TOKEN.search(page.text)[1],
                                       "username": "carol", "usable_password": "true",
                                       "password1": "tea4two!x", "password2": "tea4two!x"},
                                 headers={"Referer": base + "/admin/auth/user/add/"})
            self.assertEqual(added.status_code, 200)
            self.assertIn("was added successfully", added.text)
            listed = session.get(base + "/admin/auth/user/?q=carol", timeout=30)
            self.assertIn("1 user", listed.text)
            session.post(base + "/admin/logout/", timeout=30, headers={"Referer": base},
                         data={"csrfmiddlewaretoken": TOKEN.search(listed.text)[1]})
            self.assertIn("/admin/login/", session.get(base + "/admin/", timeout=30).url)

    def test_what_it_knows(self):
        """https, host, address and links as the client sees them; a foreign Host is 400"""
        import requests
        port = self.river_proxy(self.site, tls=True)
        base = f"https://{NAME}:{port.number}"
        with pinned(NAME):
            seen = requests.get(base + "/seen/", verify=self.authority, timeout=30).json()
        self.assertEqual(seen, {"host": f"{NAME}:{port.number}", "secure": True,
                                "url": base + "/x", "address": "127.0.0.1"})
        answer = requests.get(f"https://localhost:{port.number}/seen/", verify=self.authority,
                              timeout=30)
        self.assertEqual(answer.status_code, 400)

    def test_another_host(self):
        """`host` of a name that is not in ALLOWED_HOSTS: each request is 400"""
        port = self.port()
        self.river_file(OWN_NAME.format(listen=port, origin=self.site, name="internal.example"),
                        'host "internal.example"')
        self.assertEqual(harness.ask(port, "/seen/", host=NAME).status, 400)

    def test_another_port(self):
        """`host` with a name that is allowed: pages work, each form of a browser is 403"""
        import requests
        port = self.port()
        self.river_file(OWN_NAME.format(listen=port, origin=self.site, name=NAME), f'host "{NAME}"')
        base = f"http://{port}/admin/login/"
        page = requests.get(base, timeout=30)
        self.assertEqual(page.status_code, 200)
        token = page.cookies["csrftoken"]
        answer = requests.post(base, timeout=30, headers={"Origin": f"http://{port}"},
                               cookies={"csrftoken": token},
                               data={"csrfmiddlewaretoken": TOKEN.search(page.text)[1]})
        self.assertEqual(answer.status_code, 403)
        self.assertIn("CSRF", answer.text)


if __name__ == "__main__":
    main()

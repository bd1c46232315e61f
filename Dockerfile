# One image for web, worker, beat and migrations; the command chooses.
FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1
RUN pip install uv
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN uv venv /venv && VIRTUAL_ENV=/venv uv pip install --require-hashes -r requirements/base.txt

FROM python:3.11-slim
ARG FINOPS_RELEASE=
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 DJANGO_SETTINGS_MODULE=finops.settings.production \
    FINOPS_RELEASE=$FINOPS_RELEASE
# /state is the sandbox's: a named volume takes over the owner.
RUN useradd --system --uid 10001 --no-create-home finops && install --directory --owner finops /state
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
# Collecting needs settings but no secret and no engine.
RUN FINOPS_SECRET_KEY=build FINOPS_FIELD_KEYS=build:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    FINOPS_TOKEN_KEYS=build:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= FINOPS_BASE_URL=https://build \
    FINOPS_ALLOWED_HOSTS=build DATABASE_URL=postgresql://build@build/build REDIS_URL=redis://build \
    python manage.py collectstatic --noinput --skip-checks
USER finops
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "8", "finops.wsgi:application"]

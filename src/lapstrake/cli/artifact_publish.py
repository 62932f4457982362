"""``lapstrake artifact publish``: put an artifact's archive where sites look for it."""

from __future__ import annotations

import click

from lapstrake.cli.artifact_place import byte_teller, open_project
from lapstrake.cli.context import AppContext, pass_app


@click.command()
@click.argument("name", default="")
@click.option("--to", default="", metavar="SITE", help="Where; else the package's first site.")
@click.option("--plain", is_flag=True, help="Talk to a registry without TLS.")
@click.option("--force", is_flag=True, help="Replace other bytes of the same name.")
@pass_app
def publish(app: AppContext, /, name: str, to: str, plain: bool, force: bool) -> None:
    """Publish the archive of an artifact that is here, so that others get it.

    Without a name it is that of the project itself. SITE is oci:HOST/NAME, s3://BUCKET/PREFIX,
    gs://BUCKET/PREFIX, github:OWNER/NAME[@TAG], gitea:HOST/OWNER/NAME[@TAG], a folder, or the
    number of one of the package's sites. The registry of `lapstrake registry serve` takes it below
    push/: oci:HOST/push/NAME.
    """
    from lapstrake.artifact.getting.flow import terms_of
    from lapstrake.artifact.publishing.publish import publish_artifact

    with open_project(app) as (project, depot, progress):
        terms = terms_of(depot, on_bytes=byte_teller(progress))
        line = publish_artifact(project, name, to, depot, terms, progress, plain=plain, force=force)
    app.output.result(line)

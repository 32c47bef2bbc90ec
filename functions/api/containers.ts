import * as z from "zod"
import * as Container from "#core/container.ts"
import * as ContainerVersion from "#core/container-version.ts"
import * as Page from "#core/page.ts"
import * as Standard from "#core/standard.ts"
import { route } from "#functions/http/route.ts"
import { serve } from "#functions/http/serve.ts"

const page = z.strictObject(Page.query())

export const routes = [
  route(
    "GET /containers",
    {
      summary: "List containers",
      description: "One's own that are not archived, newest first; then the standard ones.",
      query: page,
      returns: [200, Container.Listed],
    },
    ({ accountId, query }) => Container.list(accountId, query),
  ),
  route(
    "POST /containers",
    { summary: "Make a container", body: Container.Create, returns: [201, Container.View], problems: ["conflict"] },
    ({ accountId, body }) => Container.create(accountId, body),
  ),
  route(
    "GET /containers/{containerId}",
    { summary: "Read a container", returns: [200, Container.View], problems: ["container_not_found"] },
    ({ accountId, path }) => Container.get(accountId, path.containerId),
  ),
  route(
    "PATCH /containers/{containerId}",
    {
      summary: "Change a container",
      description:
        "Another image makes a new version, which agents have once they name it; name and description change in place.",
      body: Container.Update,
      returns: [200, Container.View],
      problems: ["container_not_found", "conflict"],
    },
    ({ accountId, path, body }) => Container.update(accountId, path.containerId, body),
  ),
  route(
    "DELETE /containers/{containerId}",
    {
      summary: "Archive a container",
      description: "It leaves the list and new agents cannot have it; those that do keep it.",
      returns: [204, null],
      problems: ["container_not_found"],
    },
    ({ accountId, path }) => Container.archive(accountId, path.containerId),
  ),
  route(
    "POST /containers/{containerId}/fork",
    {
      summary: "Fork a standard container",
      description: "Makes one of your own of it, as it is now.",
      body: Standard.Fork,
      returns: [201, Container.View],
      problems: ["container_not_found", "not_standard", "conflict"],
    },
    ({ accountId, path, body }) => Container.fork(accountId, path.containerId, body),
  ),
  route(
    "GET /containers/{containerId}/versions",
    {
      summary: "List the versions of a container",
      description: "Newest first.",
      query: page,
      returns: [200, ContainerVersion.Listed],
      problems: ["container_not_found"],
    },
    ({ accountId, path, query }) => Container.versions(accountId, path.containerId, query),
  ),
  route(
    "GET /containers/{containerId}/versions/{containerVersionId}",
    {
      summary: "Read a version of a container",
      returns: [200, ContainerVersion.View],
      problems: ["container_not_found", "container_version_not_found"],
    },
    ({ accountId, path }) => Container.version(accountId, path.containerId, path.containerVersionId),
  ),
]

export const handler = serve(routes)

import { GitRef, GitUrl } from "../../core/git.ts"
import { lastWords, type Ran, runCommand } from "./command.ts"
import { persist } from "./http.ts"
import { hasCertificates } from "./image.ts"

/** Where git runs: for its keys see `ssh.ts`. */
export type GitPlace = {
  /** A folder of its own, which is its home: no configuration of the image or the user counts. */
  home: string
  /** The command for `ssh`. */
  ssh: string
  /** A configuration of the host's, which may send addresses to a mirror, over plain HTTP too. Never from a customer. */
  config?: string | undefined
}

/** What an image sets to be heard by its TLS, and nothing else. */
const inherited = ["PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"]

/** Nothing but https and ssh, nobody to ask for a password, and no configuration but the host's. */
export const gitEnvironment = ({ home, ssh, config }: GitPlace): Record<string, string> => ({
  ...Object.fromEntries(inherited.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
  HOME: home,
  LC_ALL: "C",
  GIT_ALLOW_PROTOCOL: config ? "https:ssh:http" : "https:ssh",
  GIT_ATTR_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: config ?? "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_SSH_COMMAND: ssh,
  GIT_SSH_VARIANT: "ssh",
  GIT_TERMINAL_PROMPT: "0",
})

/** What a repository could have run, or could have us wait for. */
const options = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.protectHFS=true",
  "core.protectNTFS=true",
  "credential.helper=",
  "fetch.recurseSubmodules=false",
  "submodule.recurse=false",
  "gc.auto=0",
  "advice.detachedHead=false",
  "http.lowSpeedLimit=1",
  "http.lowSpeedTime=120",
].flatMap((option) => ["-c", option])

/** Git could not do it. The message is for the person who asked. */
export class GitFailed extends Error {
  override name = "GitFailed"
  /** Of git itself; undefined where it did not get that far. */
  readonly code: number | null | undefined

  constructor(message: string, code?: number | null) {
    super(message)
    this.code = code
  }

  /** Later the same may succeed. */
  get isPassing() {
    return passing.test(this.message)
  }
}

const passing =
  /could not resolve host|failed to connect|couldn't connect to server|timed out|connection (reset|closed|refused)|ssl_error_syscall|early eof|hung up|rpc failed|too slow|error: (429|5\d\d)|unexpected disconnect/i

export type Clone = GitPlace & { url: string; ref: string; target: string; signal?: AbortSignal | undefined }

/**
 * Clones a repository into `target`, which is not there yet or empty, and checks out a branch, a tag or a commit. Nothing that comes
 * with the repository is run. Throws `GitFailed`.
 */
export const clone = async (wanted: Clone): Promise<void> => {
  const { url, ref, target } = wanted
  if (!GitUrl.safeParse(url).success) throw new GitFailed(`${JSON.stringify(url)} is not an address of a repository`)
  if (!GitRef.safeParse(ref).success) throw new GitFailed(`${JSON.stringify(ref)} is not the name of a branch, a tag or a commit`)
  const cloning = () => git(wanted, ["clone", "--quiet", "--no-checkout", "--template=", "--", url, target])
  await persist(cloning, (error) => error instanceof GitFailed && error.isPassing, wanted.signal)
  await checkOut({ ...wanted, ref: ref.replace(/^refs\/(heads|tags)\//, "") })
}

const checkOut = async (wanted: Clone) => {
  const { ref, target } = wanted
  const inside = (...args: string[]) => git(wanted, ["-C", target, ...args])
  const has = (name: string) =>
    inside("rev-parse", "--quiet", "--verify", name).then(
      () => true,
      (error: unknown) => {
        if (error instanceof GitFailed && error.code === 1) return false
        throw error
      },
    )
  if (await has(`refs/remotes/origin/${ref}`)) return inside("checkout", "--quiet", "-B", ref, `refs/remotes/origin/${ref}`, "--")
  if (await has(`refs/tags/${ref}`)) return inside("checkout", "--quiet", "--detach", `refs/tags/${ref}`, "--")
  if (/^[0-9a-f]{7,64}$/i.test(ref) && (await has(`${ref}^{commit}`))) return inside("checkout", "--quiet", "--detach", ref, "--")
  // Neither a branch nor a tag, nor in the history of one: a host may give it all the same, such as the head of a pull request.
  await inside("fetch", "--quiet", "--no-tags", "--", "origin", ref).catch((error: unknown) => {
    if (error instanceof GitFailed && !error.isPassing) throw new GitFailed(`There is no branch, tag or commit ${ref} in it`)
    throw error
  })
  return inside("checkout", "--quiet", "--detach", "FETCH_HEAD", "--")
}

/** What git adds to every refusal of ssh, after the words that say why. */
const advice = /^Please make sure you have the correct access rights\s+and the repository exists\.\s*/m

const git = async (place: Clone, args: string[]): Promise<Ran> => {
  const ran = await runCommand(["git", ...options, ...args], {
    cwd: place.home,
    environment: gitEnvironment(place),
    ...(place.signal ? { signal: place.signal } : {}),
  })
  if (ran.missing) throw new GitFailed("The container's image has no git: use one that has, such as buildpack-deps:bookworm")
  if (ran.code === 0) return ran
  if (/cannot run ssh/i.test(ran.stderr))
    throw new GitFailed("The container's image has no ssh, which this address needs: use an image with git and openssh-client")
  if (/certificate/i.test(ran.stderr) && !hasCertificates())
    throw new GitFailed("The container's image has no CA certificates, which https needs: use an image with ca-certificates")
  const said = lastWords({ ...ran, stderr: ran.stderr.replace(advice, "") })
  throw new GitFailed(said || `git ended with ${ran.code}`, ran.code)
}

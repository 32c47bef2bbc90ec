import * as z from "zod"

/**
 * What git and the shell are given. Both sides hold to it: the API when it is said, the daemon before it is used. None of it can be an
 * option, leave the folder that it belongs to, or name a transport that runs a program.
 */
const host = "[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
const user = "[A-Za-z0-9_][\\w.-]{0,63}"
const origin = new RegExp(`^(https://${host}(:\\d{1,5})?/|ssh://(${user}@)?${host}(:\\d{1,5})?/|${user}@${host}:/?)`)
/** Of what is escaped, a space and what is not ASCII. */
const segment = /^(?!-|\.{1,2}$)(?:[\w.~+@=,:-]|%20|%[89A-Fa-f][0-9A-Fa-f])+$/

export const GitUrl = z
  .string()
  .max(1_000)
  .refine((url) => {
    const [found] = origin.exec(url) ?? []
    const path = found && url.slice(found.length).replace(/\/$/, "")
    return path?.split("/").every((part) => segment.test(part)) ?? false
  }, "Give an address such as https://host/path, ssh://git@host/path or git@host:path, without a password or options")

/** A branch, a tag, a commit or a full reference, by git's own rules for their names. */
export const GitRef = z
  .string()
  .max(255)
  .refine(
    (ref) =>
      !/^[-/@]|[\p{Cc}\s~^:?*[\\]|\.\.|@\{|[/.]$/u.test(ref) &&
      ref.split("/").every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(".lock")),
    "This is not the name of a branch, a tag or a commit",
  )

const shorthand = /^(?:github:|gitlab:)?(?!\.)[\w.-]+(?:\/(?!-|\.{1,2}(?:\/|$))[\w.-]+)+(?:@[\w.-]+)?$/

/**
 * GitLab's address of a folder in a repository (`https://host/group/repo/-/tree/main/folder`) without its `/-`. No other part of an address
 * may begin with a dash, lest git takes it for an option.
 */
const withoutDash = (url: string) => url.replace(/^(https:\/\/[^/]+(?:\/[^/]+){2,})\/-(?=\/tree\/[^/])/, "$1")

/** What `skills add` takes, but for paths of a file system, which mean nothing in a hosted container. */
export const SkillName = z
  .string()
  .max(1_000)
  .refine((skill) => {
    const [source = "", ref = "main", ...more] = skill.split("#")
    const isSource = (shorthand.test(source) && !source.startsWith("-")) || GitUrl.safeParse(withoutDash(source)).success
    return isSource && GitRef.safeParse(ref).success && more.length === 0
  }, "Name a repository, such as owner/repo, owner/repo/skill or its address: local paths are not supported")

const isPlain = (part: string) => !/^$|^\.{1,2}$|^\.git$|^[-~]|[\p{Cc}\p{Zl}\p{Zp}\\]/iu.test(part)

/** A path in a repository: relative, and never out of it. */
export const RepositoryPath = z
  .string()
  .max(255)
  .refine(
    (text) => text.replace(/^\.\//, "").split("/").every(isPlain),
    "Give a path in the repository, such as scripts/setup.sh",
  )

export const AliasName = z
  .string()
  .regex(/^[A-Za-z0-9_][\w.-]{0,63}$/, "Give the name of a command: up to 64 letters, digits, `_`, `.` and `-`")

/** Folders of the workspace with a meaning of their own. */
const houseFolders = ["task", "input", "reference", "output"]

/**
 * The folder below the workspace that a mounting point names (`/workspace/code/`, `./code` and `code` are the same), or undefined where
 * it names none that a repository may have.
 */
export const mountFolder = (mountingPoint: string): string | undefined => {
  const folder = mountingPoint.replace(/^(\/workspace\/|\.\/)/, "").replace(/\/$/, "")
  const parts = folder.split("/")
  return parts.every(isPlain) && !houseFolders.includes(parts[0]!) ? folder : undefined
}

export const MountingPoint = z
  .string()
  .max(255)
  .refine(
    (text) => mountFolder(text) !== undefined,
    `Give a folder in the workspace, such as code or vendor/library, other than ${houseFolders.join(", ")}`,
  )

const CloneSource = z.object({
  name: z.string(),
  url: z.string(),
  tag: z.string(),
  /** Below the workspace. */
  folder: z.string(),
  setup_script: z.string().nullable(),
  aliases: z.array(z.object({ name: z.string(), target: z.string() })),
  /** Private keys that may open it, in OpenSSH's format. */
  private_keys: z.array(z.string()),
})

const SkillSource = z.object({
  /** For `skills add`, as its author wrote it. */
  skill: z.string(),
  /** Null where none was asked for. */
  ssh_key_id: z.string().nullable(),
  /** Null where that key has been deleted since. */
  private_key: z.string().nullable(),
})

/** What a container clones and installs before its agent starts, each in this order. Asked for just before use: it holds keys. */
export const Sources = z.object({ repositories: z.array(CloneSource), skills: z.array(SkillSource) }).meta({ id: "Sources" })

export type CloneSource = z.infer<typeof CloneSource>
export type SkillSource = z.infer<typeof SkillSource>

/** What is wrong with an image in which no daemon can run, by the exit code of `task-image/start.sh`. */
const words: Record<number, string> = {
  81: "The container image cannot run Node: it needs glibc 2.28 or later, and libstdc++, as debian:12 and ubuntu:24.04 have them. Images with musl, such as alpine, do not do.",
  82: "The container image has no /bin/sh for this processor, without which the agent can run no command. Use one such as debian:12.",
}

/** Why a container that never reported ended with this exit code, if it was its image's fault. */
export const whyUnfit = (exitCode: number | undefined): string | undefined =>
  exitCode === undefined ? undefined : words[exitCode]

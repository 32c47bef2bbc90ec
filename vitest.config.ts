import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    // What needs a Debian package is run by `npm run test:sandbox`, so that the tests pass on a machine with Node alone.
    exclude: [
      "**/node_modules/**",
      "dist/**",
      process.env.DORMOUSE_SANDBOX ? "" : "**/*.sandbox.test.ts",
      // Makes whole Debian systems: `npm run test:images`.
      process.env.DORMOUSE_IMAGES ? "" : "test/images.test.ts",
    ].filter(Boolean),
    globalSetup: ["test/setup.ts"],
    pool: "forks",
    // One more than the cores of a small machine: a test often waits for the stack that it has started.
    maxWorkers: 3,
    // Limits for what hangs, far from what anything takes: a busy machine is slow, and that is no failure.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } },
  },
})

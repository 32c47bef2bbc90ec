import { defineConfig } from "vitest/config"

// For tests that need neither bundles nor a running stack: those are what takes long.
export default defineConfig({ test: { include: ["**/*.test.ts"], pool: "forks", testTimeout: 60_000, hookTimeout: 120_000 } })

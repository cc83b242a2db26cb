import { defineConfig } from "vitest/config"

// `source` is the condition under which the packages of this workspace export their TypeScript sources.
const conditions = ["@ergon/source"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["packages/*/src/**/*.test.ts", "examples/src/**/*.test.ts"],
          exclude: ["**/*.integration.test.ts"]
        }
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["packages/*/src/**/*.integration.test.ts", "examples/src/**/*.integration.test.ts"],
          pool: "forks",
          fileParallelism: false,
          testTimeout: 120_000
        }
      }
    ]
  }
})

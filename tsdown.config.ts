import { defineConfig } from 'tsdown'

const shared = { outDir: 'dist', platform: 'node', target: 'node20', clean: false, sourcemap: true } as const

export default defineConfig([
  {
    ...shared,
    clean: true,
    entry: {
      index: 'src/index.ts',
      // In one build with the index, so that an error is of the same class wherever it was imported from.
      backend: 'src/backend-kit.ts',
      testing: 'test/conformance/index.ts',
      'express-session': 'src/integrations/express-session.ts',
      express: 'src/integrations/express/index.ts',
      nestjs: 'src/integrations/nestjs/index.ts',
      langchain: 'src/integrations/langchain/index.ts',
      langgraph: 'src/integrations/langgraph/index.ts',
      'openai-agents': 'src/integrations/openai-agents/index.ts',
      'ai-sdk': 'src/integrations/ai-sdk/index.ts',
      'schema/sqlite': 'schema/sqlite.ts',
      'schema/postgresql': 'schema/postgresql.ts',
    },
    external: ['vitest', 'fast-check'],
    format: ['esm', 'cjs'],
    dts: true,
  },
  { ...shared, entry: { 'chroma-keeper': 'src/backends/chromadb/keeper/main.mjs' }, format: ['esm'], dts: false },
  { ...shared, entry: { cli: 'src/cli/main.ts' }, format: ['esm'], dts: false },
])

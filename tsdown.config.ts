import { defineConfig } from 'tsdown'

const shared = { outDir: 'dist', platform: 'node', target: 'node20', clean: false, sourcemap: true } as const

export default defineConfig([
  {
    ...shared,
    clean: true,
    entry: {
      index: 'src/index.ts',
      'schema/sqlite': 'schema/sqlite.ts',
      'schema/postgresql': 'schema/postgresql.ts',
    },
    format: ['esm', 'cjs'],
    dts: true,
  },
  { ...shared, entry: { cli: 'src/cli/main.ts' }, format: ['esm'], dts: false },
])

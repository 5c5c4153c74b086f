import tailwind from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import type { InlineConfig } from 'vite'
import { problemsPlugin } from './problems-plugin.ts'
import { schemasPlugin } from './schemas-plugin.ts'

interface Places {
  readonly root: string
  readonly outDir: string
  /** The printed OpenAPI document. */
  readonly document: string
  /** Directory of the printed pages of problem codes. */
  readonly problems: string
}

/** How the bundle is made. No file is put into another one, as the content security policy allows no inline content. */
export function consoleConfig({ root, outDir, document, problems }: Places): InlineConfig {
  return {
    root,
    configFile: false,
    base: '/console/',
    logLevel: 'warn',
    plugins: [react(), tailwind(), schemasPlugin(document), problemsPlugin(problems)],
    build: {
      outDir,
      emptyOutDir: true,
      target: 'es2023',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      manifest: 'manifest.json',
    },
  }
}

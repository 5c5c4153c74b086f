import { relative } from 'node:path'
import tailwind from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import type { InlineConfig, Plugin } from 'vite'
import { packagesOf } from '../../build/packages.ts'
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
    plugins: [react(), tailwind(), schemasPlugin(document), problemsPlugin(problems), packagesPlugin(root)],
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

/** The file with the folders of all packages that code or styles of the console come from, below the folder above `ui`. */
export const PACKAGES = 'packages.json'

function packagesPlugin(root: string): Plugin {
  return {
    name: 'postern-packages',
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
      const top = `${root}/..`
      const folders = packagesOf(modules).map((path) => relative(top, path))
      // Its styles are no module
      const source = JSON.stringify([...new Set([...folders, 'node_modules/tailwindcss'])].sort())
      this.emitFile({ type: 'asset', fileName: PACKAGES, source })
    },
  }
}

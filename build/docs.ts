/** `npm run docs`: makes the documentation as a static site in `dist/docs`. */
import { relative, resolve } from 'node:path'
import { buildSite } from './docs/site.ts'

const top = resolve(import.meta.dirname, '..')
const place = resolve(top, 'dist/docs')
const { pages, sections } = await buildSite(top, place)
console.log(
  `${pages} pages, ${sections} sections. Open ${relative(process.cwd(), resolve(place, 'index.html'))}`,
)

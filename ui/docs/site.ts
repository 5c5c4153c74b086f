/**
 * The script of the documentation: its search. The index is a script too, since a page on a disk may not fetch a file; it is loaded when
 * somebody first goes to the search.
 */
import { find, type IndexedSection } from './find.ts'

const RESULTS_MAX = 20
const root = (document.currentScript as HTMLScriptElement | null)?.dataset['root'] ?? ''
const input = document.querySelector<HTMLInputElement>('#search')!
const list = document.querySelector<HTMLUListElement>('#results')!
const count = document.querySelector<HTMLElement>('#count')!
let loading: Promise<readonly IndexedSection[]> | undefined

function load(): Promise<readonly IndexedSection[]> {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement('script')
    script.src = `${root}search.js`
    script.onload = () =>
      resolve((globalThis as unknown as { POSTERN_SECTIONS: readonly IndexedSection[] }).POSTERN_SECTIONS)
    script.onerror = () => reject(new Error('The index of the search could not be loaded.'))
    document.head.append(script)
  })
  return loading
}

async function search(): Promise<void> {
  const query = input.value.trim()
  const sections = await load().catch(() => null)
  // Another key was pressed meanwhile
  if (query !== input.value.trim()) return
  const found = sections === null ? [] : find(sections, query, RESULTS_MAX)
  list.replaceChildren(
    ...found.map(({ href, page, heading, excerpt }) => {
      const link = document.createElement('a')
      link.href = root + href
      const title = document.createElement('strong')
      title.textContent = heading === page ? page : `${page}: ${heading}`
      const text = document.createElement('span')
      text.textContent = excerpt
      link.append(title, text)
      const item = document.createElement('li')
      item.append(link)
      return item
    }),
  )
  list.hidden = found.length === 0
  if (query === '') count.textContent = ''
  else if (sections === null) count.textContent = 'The search does not work: search.js is missing'
  else if (found.length === 0) count.textContent = 'No section has these words'
  else count.textContent = found.length === 1 ? '1 section' : `${found.length} sections`
}

function close(): void {
  input.value = ''
  list.hidden = true
  count.textContent = ''
  input.focus()
}

/** Moves the focus between the input and the results. */
function step(by: number): void {
  const stops: HTMLElement[] = [input, ...list.querySelectorAll('a')]
  const at = stops.indexOf(document.activeElement as HTMLElement)
  stops[Math.max(0, Math.min(stops.length - 1, at + by))]?.focus()
}

const place = input.closest('search')!
place.hidden = false
input.addEventListener('focus', () => void load().catch(() => null))
input.addEventListener('input', () => void search())
place.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') close()
  else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') step(event.key === 'ArrowDown' ? 1 : -1)
  else if (event.key === 'Enter' && event.target === input) list.querySelector('a')?.click()
  else return
  event.preventDefault()
})
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || event.target === input) return
  event.preventDefault()
  input.focus()
})

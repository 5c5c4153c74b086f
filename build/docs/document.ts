/** The document around the content of a page: its head, the navigation, and the list of its headings. */
import { type Html, html } from '../../src/base/http/page.ts'
import type { Section } from './markup.ts'
import { type Group, hrefFrom, type Source } from './pages.ts'

export interface Document {
  readonly source: Source
  readonly content: Html
  readonly sections: readonly Section[]
  readonly groups: readonly Group[]
  readonly version: string
}

/** The whole document. Without its script everything works but the search. */
export function documentText({ source, content, sections, groups, version }: Document): string {
  const link = (place: string): string => hrefFrom(source.place, place)
  const isIndex = source.place === 'index.html'
  const title = isIndex ? 'Postern documentation' : `${source.title} · Postern documentation`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<link rel="icon" href="${link('icon.svg')}">
<link rel="stylesheet" href="${link('site.css')}">
<script defer src="${link('site.js')}" data-root="${link('index.html').slice(0, -'index.html'.length)}"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<a class="home" href="${link('index.html')}"><img src="${link('icon.svg')}" alt="" width="20" height="20"> Postern documentation</a>
<search hidden><label for="search">Search</label>
<input id="search" type="search" autocomplete="off" spellcheck="false" maxlength="100" aria-controls="results">
<p id="count" role="status"></p>
<ul id="results" hidden></ul></search>
<a class="to-pages" href="#pages">Pages</a>
</header>
<div class="columns">
<main id="main" tabindex="-1">
${content}</main>
${contents(sections)}
<nav id="pages" class="side" aria-label="Pages" tabindex="-1">
${groups.map((group) => groupHtml(group, source, link))}</nav>
</div>
<footer>Postern ${version}. This page is <code>${source.path}</code>.</footer>
</body>
</html>
`.text
}

function groupHtml({ title, entries }: Group, current: Source, link: (place: string) => string): Html {
  const inner = html`<summary>${title}</summary>
<ul>
${entries.map(({ source, hash, label }) =>
  source === current && hash === ''
    ? html`<li><a href="${link(source.place)}" aria-current="page">${label}</a></li>
`
    : html`<li><a href="${link(source.place) + hash}">${label}</a></li>
`,
)}</ul>`
  const isOpen = current.place === 'index.html' || entries.some(({ source }) => source === current)
  return isOpen
    ? html`<details open>${inner}</details>
`
    : html`<details>${inner}</details>
`
}

/** The headings of a page, if there is a choice. */
function contents(sections: readonly Section[]): Html | null {
  const listed = sections.filter(({ level }) => level === 2)
  if (listed.length < 2) return null
  return html`<nav class="contents side" aria-label="On this page">
<p>On this page</p>
<ul>
${listed.map(
  ({ heading, anchor }) => html`<li><a href="${`#${anchor}`}">${heading}</a></li>
`,
)}</ul>
</nav>`
}

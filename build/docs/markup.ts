/** The blocks of a page as HTML, and its sections as the search reads them. */
import { type Html, html } from '../../src/base/http/page.ts'
import { type Block, blocksOf } from '../../ui/src/markdown/blocks.ts'
import type { HrefOf, Inline } from '../../ui/src/markdown/inlines.ts'
import { anchorOf } from './pages.ts'

/** A longer page is a mistake: nobody reads it, and it is not read as Markdown. */
const PAGE_CHARACTERS_MAX = 400_000
const IMAGE = /\.(?:png|svg)$/

export interface Section {
  readonly level: number
  readonly heading: string
  readonly anchor: string
  /** Text of the section without markup. */
  readonly text: string
}

export interface Markup {
  readonly content: Html
  readonly sections: readonly Section[]
}

/** @param hrefOf where a target leads, seen from the page */
export function markupOf(text: string, hrefOf: HrefOf): Markup {
  const blocks = blocksOf(text, { charactersMax: PAGE_CHARACTERS_MAX, hrefOf })
  const anchors = anchorsFor()
  const sections: { level: number; heading: string; anchor: string; text: string }[] = []
  const content = blocks.map((block) => {
    if (block.kind !== 'heading') {
      const section = sections.at(-1)
      if (section !== undefined) section.text = `${section.text} ${textOf(block)}`.trim()
      return blockHtml(block, section?.heading ?? '')
    }
    const heading = inlineText(block.children)
    const anchor = anchors(heading)
    sections.push({ level: block.level, heading, anchor, text: '' })
    return headingHtml(block.level, anchor, block.children)
  })
  return { content: html`${content}`, sections }
}

/** Gives each heading of a page a name of its own: `limits`, then `limits-1`. */
function anchorsFor(): (heading: string) => string {
  const used = new Map<string, number>()
  return (heading) => {
    const anchor = anchorOf(heading)
    const times = used.get(anchor) ?? 0
    used.set(anchor, times + 1)
    return times === 0 ? anchor : `${anchor}-${times}`
  }
}

function headingHtml(level: number, anchor: string, children: readonly Inline[]): Html {
  const inner = inlinesHtml(children)
  switch (level) {
    case 1:
      return html`<h1 id="${anchor}">${inner}</h1>
`
    case 2:
      return html`<h2 id="${anchor}">${inner}</h2>
`
    case 3:
      return html`<h3 id="${anchor}">${inner}</h3>
`
    default:
      return html`<h4 id="${anchor}">${inner}</h4>
`
  }
}

function blockHtml(block: Exclude<Block, { kind: 'heading' }>, heading: string, isTight = false): Html {
  switch (block.kind) {
    case 'paragraph':
      return isTight
        ? html`${inlinesHtml(block.children)}`
        : html`<p>${inlinesHtml(block.children)}</p>
`
    case 'code':
      return html`<pre><code>${block.text}</code></pre>
`
    case 'plain':
      throw new Error(`A page has more than ${PAGE_CHARACTERS_MAX} characters.`)
    case 'rule':
      return html`<hr>
`
    case 'quote':
      return html`<blockquote>${blocksHtml(block.blocks, heading)}</blockquote>
`
    case 'list': {
      const items = block.items.map(
        (item) => html`<li>${blocksHtml(item, heading, !block.isLoose)}</li>
`,
      )
      return block.start === null
        ? html`<ul>${items}</ul>
`
        : html`<ol start="${String(block.start)}">${items}</ol>
`
    }
    case 'table':
      // A wide table scrolls within its place, also by keyboard
      return html`<div class="table" role="group" tabindex="0" aria-label="${`Table: ${heading}`}"><table>
<thead><tr>${block.head.map((cell) => cellHtml(cell, true))}</tr></thead>
<tbody>
${block.rows.map(
  (row) => html`<tr>${row.map((cell) => cellHtml(cell, false))}</tr>
`,
)}</tbody></table></div>
`
  }
}

function cellHtml(cell: readonly Inline[], isHead: boolean): Html {
  if (!isHead) return html`<td>${inlinesHtml(cell)}</td>`
  // A header without text names nothing
  return cell.length === 0 ? html`<td></td>` : html`<th scope="col">${inlinesHtml(cell)}</th>`
}

/** Headings within lists and quotes begin no section. */
function blocksHtml(blocks: readonly Block[], heading: string, isTight = false): Html[] {
  return blocks.map((block) =>
    block.kind === 'heading'
      ? html`<p><strong>${inlinesHtml(block.children)}</strong></p>`
      : blockHtml(block, heading, isTight),
  )
}

function inlinesHtml(nodes: readonly Inline[]): Html[] {
  return nodes.map(inlineHtml)
}

function inlineHtml(node: Inline): Html {
  switch (node.kind) {
    case 'text':
      return html`${node.text}`
    case 'code':
      return html`<code>${node.text}</code>`
    case 'break':
      return html`<br>`
    case 'strong':
      return html`<strong>${inlinesHtml(node.children)}</strong>`
    case 'emphasis':
      return html`<em>${inlinesHtml(node.children)}</em>`
    case 'deleted':
      return html`<del>${inlinesHtml(node.children)}</del>`
    case 'link':
      return node.isImage === true && IMAGE.test(node.href)
        ? html`<img src="${node.href}" alt="${inlineText(node.children)}" loading="lazy">`
        : html`<a href="${node.href}">${inlinesHtml(node.children)}</a>`
  }
}

function inlineText(nodes: readonly Inline[]): string {
  return nodes
    .map((node) => (node.kind === 'break' ? ' ' : 'children' in node ? inlineText(node.children) : node.text))
    .join('')
}

function textOf(block: Block): string {
  switch (block.kind) {
    case 'paragraph':
    case 'heading':
      return inlineText(block.children)
    case 'code':
    case 'plain':
      return block.text
    case 'rule':
      return ''
    case 'quote':
      return block.blocks.map(textOf).join(' ')
    case 'list':
      return block.items.map((item) => item.map(textOf).join(' ')).join(' ')
    case 'table':
      return [block.head, ...block.rows].map((row) => row.map(inlineText).join(' ')).join(' ')
  }
}

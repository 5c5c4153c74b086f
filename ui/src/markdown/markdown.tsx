import { useDeferredValue, useMemo } from 'react'
import { type Block, blocksOf, isPlain } from './blocks.ts'
import type { Inline } from './inlines.ts'

/** The page has headings of its own above these. */
const HEADINGS = ['h4', 'h5', 'h6'] as const

/** A text in Markdown, as elements. Its HTML is shown as text, its images as links, and it loads nothing. */
export function Markdown({ text }: { text: string }) {
  const blocks = useMemo(() => blocksOf(text), [text])
  return <Shown blocks={blocks} />
}

/** How the Markdown of an input will look. Nothing, as long as it looks like what is typed. */
export function MarkdownPreview({ text }: { text: string }) {
  const settled = useDeferredValue(text)
  const blocks = useMemo(() => blocksOf(settled), [settled])
  if (isPlain(blocks)) return null
  return (
    <div role="group" aria-label="Preview" className="rounded-md border border-line bg-raised px-3 py-2">
      <p className="mb-1 text-xs text-muted">Preview</p>
      <Shown blocks={blocks} />
    </div>
  )
}

function Shown({ blocks }: { blocks: readonly Block[] }) {
  return (
    <div className="flex min-w-0 flex-col gap-2 break-words">
      <Blocks blocks={blocks} />
    </div>
  )
}

function Blocks({ blocks, isTight = false }: { blocks: readonly Block[]; isTight?: boolean }) {
  return blocks.map((block, index) => <OneBlock key={index} block={block} isTight={isTight} />)
}

function OneBlock({ block, isTight }: { block: Block; isTight: boolean }) {
  switch (block.kind) {
    case 'paragraph':
      return isTight ? (
        <Inlines nodes={block.children} />
      ) : (
        <p>
          <Inlines nodes={block.children} />
        </p>
      )
    case 'heading': {
      const Heading = HEADINGS[Math.min(block.level, HEADINGS.length) - 1]!
      return (
        <Heading className="font-semibold">
          <Inlines nodes={block.children} />
        </Heading>
      )
    }
    case 'code':
      return (
        <pre className="rounded-md border border-line bg-raised p-2 break-words whitespace-pre-wrap">
          <code>{block.text}</code>
        </pre>
      )
    case 'plain':
      return <p className="whitespace-pre-wrap">{block.text}</p>
    case 'rule':
      return <hr className="border-line" />
    case 'quote':
      return (
        <blockquote className="flex flex-col gap-2 border-l-2 border-edge pl-3 text-muted">
          <Blocks blocks={block.blocks} />
        </blockquote>
      )
    case 'list':
      return <List {...block} />
    case 'table':
      return (
        // A wide table scrolls within its place, also by keyboard
        <div tabIndex={0} role="region" aria-label="Table" className="overflow-auto">
          <table className="border-collapse">
            <thead>
              <tr>
                {block.head.map((cell, index) => (
                  <th
                    key={index}
                    scope="col"
                    className="border border-line px-2 py-1 text-left font-semibold"
                  >
                    <Inlines nodes={cell} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, index) => (
                <tr key={index}>
                  {row.map((cell, column) => (
                    <td key={column} className="border border-line px-2 py-1">
                      <Inlines nodes={cell} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )
  }
}

function List({ start, isLoose, items }: Extract<Block, { kind: 'list' }>) {
  const inner = items.map((blocks, index) => (
    <li key={index} className={isLoose ? 'mb-2 last:mb-0' : ''}>
      <Blocks blocks={blocks} isTight={!isLoose} />
    </li>
  ))
  return start === null ? (
    <ul className="list-disc pl-6">{inner}</ul>
  ) : (
    <ol start={start} className="list-decimal pl-6">
      {inner}
    </ol>
  )
}

function Inlines({ nodes }: { nodes: readonly Inline[] }) {
  return nodes.map((node, index) => <OneInline key={index} node={node} />)
}

function OneInline({ node }: { node: Inline }) {
  switch (node.kind) {
    case 'text':
      return node.text
    case 'code':
      return <code className="rounded-md bg-sunken px-1">{node.text}</code>
    case 'break':
      return <br />
    case 'strong':
      return (
        <strong className="font-semibold">
          <Inlines nodes={node.children} />
        </strong>
      )
    case 'emphasis':
      return (
        <em>
          <Inlines nodes={node.children} />
        </em>
      )
    case 'deleted':
      return (
        <del>
          <Inlines nodes={node.children} />
        </del>
      )
    case 'link':
      return (
        <a href={node.href} target="_blank" rel="noreferrer" className="text-accent underline">
          <Inlines nodes={node.children} />
        </a>
      )
  }
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Block, blocksOf, isPlain } from './blocks.ts'
import { type Inline, safeHref } from './inlines.ts'

/** Nodes as a short text: `p(one em(two))`. */
function inline(node: Inline): string {
  switch (node.kind) {
    case 'text':
      return node.text
    case 'code':
      return `code(${node.text})`
    case 'break':
      return 'br()'
    case 'link':
      return `a(${node.href} | ${node.children.map(inline).join('')})`
    default:
      return `${node.kind}(${node.children.map(inline).join('')})`
  }
}
function shown(blocks: readonly Block[]): string {
  return blocks.map(block).join(' ')
}
function block(one: Block): string {
  switch (one.kind) {
    case 'paragraph':
      return `p(${one.children.map(inline).join('')})`
    case 'heading':
      return `h${one.level}(${one.children.map(inline).join('')})`
    case 'code':
    case 'plain':
      return `${one.kind}(${one.text})`
    case 'rule':
      return 'rule()'
    case 'quote':
      return `quote(${shown(one.blocks)})`
    case 'list':
      return `${one.isLoose ? 'loose ' : ''}${one.start ?? 'ul'}(${one.items.map(shown).join(' | ')})`
    case 'table': {
      const rows = [one.head, ...one.rows]
      return `table(${rows.map((row) => row.map((cell) => cell.map(inline).join('')).join(',')).join(' | ')})`
    }
  }
}
const read = (text: string): string => shown(blocksOf(text))

test('paragraphs, headings, rules and code are told apart', () => {
  assert.equal(read('One\ntwo\n\nthree'), 'p(One\ntwo) p(three)')
  assert.equal(read('# Orders #\ntext\n## `GET` /v1'), 'h1(Orders) p(text) h2(code(GET) /v1)')
  assert.equal(read('Orders\n===\nof shops\n---\n***'), 'h1(Orders) h2(of shops) rule()')
  assert.equal(read('```json\n{ "a": 1 }\n\n# no\n```\nend'), 'code({ "a": 1 }\n\n# no) p(end)')
  assert.equal(read('~~~\nopen to the end'), 'code(open to the end)')
  assert.equal(read('text\n\n    curl x\n      -H y\n\nend'), 'p(text) code(curl x\n  -H y) p(end)')
  assert.equal(read('#no heading\n1986. A good year'), 'p(#no heading\n1986. A good year)')
})

test('lists and quotes hold blocks, and lists other lists', () => {
  assert.equal(read('- one\n- two\n  - three\n- four'), 'ul(p(one) | p(two) ul(p(three)) | p(four))')
  assert.equal(read('3. three\n4. four'), '3(p(three) | p(four))')
  assert.equal(read('- one\n\n- two\n\nend'), 'loose ul(p(one) | p(two)) p(end)')
  assert.equal(read('- one\ngoes on\n\n  more\n\nend'), 'loose ul(p(one\ngoes on) p(more)) p(end)')
  assert.equal(read('Takes:\n- one\n+ two'), 'p(Takes:) ul(p(one)) ul(p(two))')
  assert.equal(read('> one\ntwo\n> - three\n\nend'), 'quote(p(one\ntwo) ul(p(three))) p(end)')
  assert.equal(read('-\n- b'), 'ul( | p(b))')
})

test('tables have the cells of their text', () => {
  assert.equal(
    read('| code | means |\n|---|:-:|\n| `a` | one \\| two |\n| b |\nend\n\ntext'),
    'table(code,means | code(a),one | two | b | end) p(text)',
  )
  assert.equal(read('a | b\nno ruler'), 'p(a | b\nno ruler)')
})

test('emphasis, code and breaks are read within a paragraph', () => {
  assert.equal(read('*a* **b** ***c*** ~~d~~'), 'p(emphasis(a) strong(b) emphasis(strong(c)) deleted(d))')
  assert.equal(read('**a *b* c** and _d __e___'), 'p(strong(a emphasis(b) c) and emphasis(d strong(e)))')
  assert.equal(
    read('base_path and order_id, 2 * 3 * 4, a ** b'),
    'p(base_path and order_id, 2 * 3 * 4, a ** b)',
  )
  assert.equal(read('`a*b*` ``x ` y`` `open'), 'p(code(a*b*) code(x ` y) `open)')
  assert.equal(read('one  \ntwo\\\nthree'), 'p(onebr()twobr()three)')
  assert.equal(read('\\*no\\* &lt;b&gt; &#65; &nope;'), 'p(*no* <b> A &nope;)')
})

test('links lead to http, https and mail alone, and all others stay text', () => {
  assert.equal(read('[docs](https://a.example/x "title")'), 'p(a(https://a.example/x | docs))')
  assert.equal(read('[a *b*](<http://x.example/a b>)'), 'p(a(http://x.example/a%20b | a emphasis(b)))')
  assert.equal(
    read('<https://x.example> <ann@x.example>'),
    'p(a(https://x.example/ | https://x.example) a(mailto:ann@x.example | ann@x.example))',
  )
  assert.equal(
    read('See https://x.example/a_(b), or not.'),
    'p(See a(https://x.example/a_(b) | https://x.example/a_(b)), or not.)',
  )
  for (const target of [
    'javascript:ran=1',
    'JaVaScRiPt:ran=1',
    'java\tscript:ran=1',
    '\\javascript:ran=1',
    '&#106;avascript:ran=1',
    'data:text/html,<script>ran=1</script>',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:null/1',
    '//x.example',
    '/console/run/users.delete',
    'http:x',
    '',
  ]) {
    const text = `[a](${target})`
    assert.doesNotMatch(read(text), /a\(.* \| /, text)
    assert.equal(safeHref(target), null, target)
  }
})

test('an image is its link, and within a link its text', () => {
  assert.equal(read('![chart](https://x.example/c.png)'), 'p(a(https://x.example/c.png | chart))')
  assert.equal(
    read('[![build](https://x.example/b.svg)](https://x.example/)'),
    'p(a(https://x.example/ | build))',
  )
  assert.equal(
    read('[[in](https://in.example)](https://out.example)'),
    'p([a(https://in.example/ | in)](a(https://out.example/ | https://out.example)))',
  )
})

test('who reads another text says where its targets lead, how long it may be, and is told of images', () => {
  const reading = {
    charactersMax: 30_000,
    hrefOf: (target: string) => (target.endsWith('.md') ? target.replace('.md', '.html') : ''),
  }
  assert.equal(shown(blocksOf('- [a](b/c.md#d) ![e](f.md)', reading)), 'ul(p(a( | a) a(f.html | e)))')
  const [first] = blocksOf('![e](f.md) [g](h.md) [i] (j)', reading)
  assert.ok(first?.kind === 'paragraph')
  assert.deepEqual(first.children, [
    { kind: 'link', href: 'f.html', children: [{ kind: 'text', text: 'e' }], isImage: true },
    { kind: 'text', text: ' ' },
    { kind: 'link', href: 'h.html', children: [{ kind: 'text', text: 'g' }] },
    { kind: 'text', text: ' [i] (j)' },
  ])
  assert.equal(blocksOf('a '.repeat(12_000), reading)[0]?.kind, 'paragraph')
})

test('HTML is text', () => {
  const html = '<img src=x onerror=ran=1><script>ran=1</script>'
  assert.equal(read(html), `p(${html})`)
  assert.equal(read('<!-- note -->\n<b>bold</b>'), 'p(<!-- note -->\n<b>bold</b>)')
})

test('a text without markup is known to be plain', () => {
  for (const text of ['', 'Places, changes and cancels orders.', 'base_path (v1), 50 % off'])
    assert.equal(isPlain(blocksOf(text)), true, text)
  for (const text of ['*a*', '# a', 'a\nb', 'a\n\nb', '- a', 'https://x.example'])
    assert.equal(isPlain(blocksOf(text)), false, text)
})

/** How deep blocks and their nodes are nested. */
function depthOf(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0
  const inner = Object.values(value).map(depthOf)
  return ('kind' in value ? 1 : 0) + Math.max(0, ...inner)
}
function sizeOf(value: unknown): number {
  if (value === null || typeof value !== 'object') return 0
  return ('kind' in value ? 1 : 0) + Object.values(value).reduce((sum, one) => sum + sizeOf(one), 0)
}

test('no text nests without end, and none makes more parts than it has characters', () => {
  const deep = 10_000
  for (const text of [
    `${'>'.repeat(deep)} a`,
    `${'> '.repeat(deep - 1)}a`,
    `${'- '.repeat(deep - 1)}a`,
    `${'1. '.repeat(6000)}a`,
    Array.from({ length: 190 }, (_, level) => `${' '.repeat(level)}- a`).join('\n'),
    '*a '.repeat(5000) + 'b* '.repeat(1600),
    '*a _b '.repeat(1600) + 'c_ d* '.repeat(1600),
    '**a '.repeat(2500) + 'b** '.repeat(2500),
    '['.repeat(deep) + ']('.repeat(4000),
    '![['.repeat(3000) + '](https://x)'.repeat(900),
    '[a](<b '.repeat(2800),
    `${'[a](https://x)'.repeat(1400)}`,
    '`'.repeat(deep) + ' ``'.repeat(3000),
    '<'.repeat(20_000),
    '&#'.repeat(deep),
    'https://('.repeat(2200),
    `${'|a'.repeat(2500)}\n${'|-'.repeat(2500)}\n${'|\n'.repeat(4000)}`,
    '-\n'.repeat(deep),
    '~~~\n'.repeat(5000),
    '# '.repeat(deep),
    '\\'.repeat(20_000),
    ' '.repeat(20_000),
  ]) {
    const blocks = blocksOf(text)
    const at = text.slice(0, 20)
    // A longer text is not read at all, and would prove nothing
    assert.notEqual(blocks[0]?.kind, 'plain', at)
    assert.ok(depthOf(blocks) < 40, at)
    assert.ok(sizeOf(blocks) <= text.length + 2, at)
  }
})

test('a text that is longer than the server stores is shown as it is', () => {
  const text = '*a* '.repeat(250_000)
  assert.deepEqual(blocksOf(text), [{ kind: 'plain', text }])
})

test('any text is read, and every link in it leads to an allowed place', () => {
  const parts = fc.constantFrom(
    ...[
      '*',
      '**',
      '_',
      '~~',
      '`',
      '[',
      '](',
      '![',
      ')',
      '<',
      '>',
      '> ',
      '- ',
      '1. ',
      '#',
      '|',
      '|-|',
      '\n',
      '\n\n',
      '    ',
    ],
    ...['\\', '&', '&lt;', 'a', ' ', 'javascript:', 'https://x.example', 'mailto:a@b', '```', '---', '"'],
  )
  const hrefs = (value: unknown): string[] => {
    if (value === null || typeof value !== 'object') return []
    const own = 'href' in value ? [String(value.href)] : []
    return [...own, ...Object.values(value).flatMap(hrefs)]
  }
  fc.assert(
    fc.property(fc.array(fc.oneof(parts, fc.string()), { maxLength: 60 }), (texts) => {
      const blocks = blocksOf(texts.join(''))
      for (const href of hrefs(blocks)) assert.equal(safeHref(href), href)
      assert.ok(depthOf(blocks) < 40)
    }),
  )
})

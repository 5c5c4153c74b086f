import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { exact, html, pageHeaders, pageText } from './page.ts'

const THEME = readFileSync(resolve(import.meta.dirname, '../../../ui/src/styles.css'), 'utf8')
const text = pageText({ title: 'A <b>', content: html`<p>${'"text"'}</p>` })
const style = /<style>(.*)<\/style>/s.exec(text)![1]!

test('the colours of pages are those of the console, by the same names', () => {
  const colours = [...style.matchAll(/--([a-z-]+):light-dark\((#[0-9a-f]{6}),(#[0-9a-f]{6})\)/g)]
  assert.ok(colours.length > 10)
  for (const [, name, light, dark] of colours)
    assert.ok(THEME.includes(`--color-${name}: light-dark(${light}, ${dark});`), `${name} ${light} ${dark}`)
  assert.doesNotMatch(style.replace(/:root\{.*?\}/s, ''), /#[0-9a-f]{3}/)
})

test('the policy of a page lets its one style sheet through, and no other style, script or resource', () => {
  const policy = pageHeaders({})['content-security-policy']!
  const own = hash('sha256', style, 'base64')
  assert.equal(
    policy,
    `default-src 'none'; style-src 'sha256-${own}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  )
  assert.doesNotMatch(text, /\sstyle=|<script|<link|url\(/)
})

test('pages and console have one mark', () => {
  const shapes = (file: string): string[] =>
    [...file.matchAll(/"(M[\d.a-zA-Z -]+z)"|'(M[\d.a-zA-Z -]+z)'/g)].map(([, one, other]) => one ?? other!)
  const [mark, icon] = ['shell.tsx', 'icon.svg'].map((name) =>
    shapes(readFileSync(resolve(import.meta.dirname, '../../../ui/src/app', name), 'utf8')),
  )
  assert.equal(mark!.length, 2)
  assert.deepEqual(icon, mark)
  assert.deepEqual(shapes(text), mark)
})

test('what is put into a page is text', () => {
  assert.match(text, /<title>A &#60;b&#62; · Postern<\/title>/)
  assert.match(text, /<p>&#34;text&#34;<\/p>/)
})

test('text shows what hides or reorders it, an attribute keeps its value, and emoji, joined letters and what is copied stay', () => {
  const name = 'Ada\u202e\u200b\u2028\ud800'
  assert.equal(
    html`<p>${name} ${'می\u200cخواهم ❤\ufe0f 👩\u200d🔬'}</p><input value="${name}">${html`<b>${name}</b>`}`
      .text,
    `<p>Ada\\u202e\\u200b\\u2028\\ud800 می\u200cخواهم ❤\ufe0f 👩\u200d🔬</p><input value="${name}"><b>Ada\\u202e\\u200b\\u2028\\ud800</b>`,
  )
  assert.equal(html`<code>${exact(name)}</code>`.text, `<code>${name}</code>`)
  assert.match(pageText({ title: name, content: html`` }), /<h1>Ada\\u202e/)
})

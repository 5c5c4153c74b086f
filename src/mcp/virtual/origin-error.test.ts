import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorFor, MISSING_CAPABILITY, pagesIn } from './origin-error.ts'

const MODERN = { isModern: true, version: '2026-07-28' }
const LEGACY = { isModern: false, version: '2025-11-25' }
const PAGES = { elicitations: [{ url: 'https://id.example/a', message: 'Sign in' }] }

test('an error that belongs to one era never reaches a caller of the other one as it is', () => {
  const missing = {
    code: MISSING_CAPABILITY,
    message: 'no roots',
    data: { requiredCapabilities: { roots: {} } },
  }
  assert.deepEqual(errorFor(missing, MODERN, true, null), { kind: 'error', ...missing, status: 400 })
  const hidden = { kind: 'error', code: -32603, message: 'The origin refused the request: no roots' }
  assert.deepEqual(errorFor(missing, LEGACY, true, null), hidden)
  assert.deepEqual(errorFor(missing, MODERN, false, null), hidden)
  const pages = { code: -32042, message: 'open a page', data: PAGES }
  assert.deepEqual(errorFor(pages, LEGACY, false, null), { kind: 'error', ...pages })
  const later = { kind: 'error', code: -32603, message: 'The origin refused the request: open a page' }
  assert.deepEqual(errorFor(pages, { isModern: false, version: '2025-06-18' }, false, null), later)
  assert.deepEqual(errorFor(pages, LEGACY, true, null), later)
})

test('a resource that is not there has the code of the era, and the URI by which the caller asked', () => {
  const error = { code: -32002, message: 'not found', data: { uri: 'file:///a' } }
  const asked = { own: 'file:///a', name: 'postern://desk/a' }
  const data = { uri: 'postern://desk/a' }
  assert.deepEqual(errorFor(error, LEGACY, false, asked), { ...error, kind: 'error', data })
  assert.deepEqual(errorFor(error, MODERN, false, asked), { ...error, kind: 'error', code: -32602, data })
  const other = { ...error, data: { uri: 'file:///b' } }
  assert.deepEqual(errorFor(other, LEGACY, false, asked), { ...other, kind: 'error' })
})

test('pages to open are taken only if each of them is one', () => {
  assert.deepEqual(pagesIn(PAGES), PAGES.elicitations)
  for (const data of [null, {}, { elicitations: {} }, { elicitations: [{ url: 'javascript:a' }] }])
    assert.equal(pagesIn(data), null, JSON.stringify(data))
  assert.equal(pagesIn({ elicitations: [...PAGES.elicitations, 7] }), null)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bindingSentence, isTokenLive, kindOfHost, peopleOf, tokenWords } from './words.ts'

test('the kind of a host is told by how it is recognized at a sign-in', () => {
  assert.match(kindOfHost(null), /^An agent/)
  assert.equal(kindOfHost('service:svc_1'), 'A service identity')
  assert.match(kindOfHost('registered:Notes https://a.test'), /registered itself/)
  assert.match(kindOfHost('https://claude.example/client.json'), /client metadata document/)
})

test('a binding is read as a sentence that tells for whom its host calls', () => {
  const binding = { host: 'nightly', virtual_mcp: 'desk', user: null, acts_for: null }
  assert.equal(bindingSentence(binding), 'nightly calls desk for itself, with a token of its own.')
  assert.equal(
    bindingSentence({ ...binding, user: 'ada' }),
    'nightly calls desk for ada, with a token of its own.',
  )
  assert.match(
    bindingSentence({ ...binding, acts_for: { users: ['ada'], teams: ['support'] } }),
    /^nightly calls desk for ada, members of support, each time/,
  )
  assert.match(
    bindingSentence({ ...binding, acts_for: { users: [], teams: [] } }),
    /does not call desk for anyone yet/,
  )
})

test('the state of a token is a word, and one that is not known counts as no token', () => {
  assert.deepEqual(tokenWords('expiring_soon'), { state: 'warn', words: 'Expires soon' })
  assert.equal(tokenWords(undefined).words, 'No token')
  assert.deepEqual(['valid', 'expiring_soon', 'expired', 'revoked', 'none'].map(isTokenLive), [
    true,
    true,
    false,
    false,
    false,
  ])
})

test('people among calls are named once, with the time of their last call', () => {
  const calls = [
    { user: 'usr_1', user_slug: 'ada', time: '2026-05-03' },
    { user: null, user_slug: null, time: '2026-05-02' },
    { user: 'usr_1', user_slug: 'ada', time: '2026-05-01' },
    { user: 'usr_2', user_slug: null, time: '2026-04-30' },
  ]
  assert.deepEqual(peopleOf(calls), [
    { id: 'usr_1', name: 'ada', time: '2026-05-03' },
    { id: 'usr_2', name: 'usr_2', time: '2026-04-30' },
  ])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decidedBy, runTitleOf, sentenceOf, wordOf } from './actions.ts'

test('the title of an operation is its verb and the name of what it is run on', () => {
  const gold = { name: 'Gold', slug: 'gold' }
  assert.equal(runTitleOf({ action: 'delete' }, gold, 'gold'), 'Delete Gold')
  assert.equal(runTitleOf({ action: 'issue_token' }, { slug: 'a:b' }, 'a:b'), 'Issue token: a:b')
  assert.equal(runTitleOf({ action: 'import' }, { name: 'Live' }, 'a:live'), 'Import token: Live')
  assert.equal(runTitleOf({ action: 'assignments' }, gold, 'gold'), 'Assignments: Gold')
  assert.equal(runTitleOf({ action: 'revoke' }, {}, 'x'), 'Revoke x')
})

test('a switch is named by what it would do', () => {
  assert.equal(wordOf({ action: 'toggle' }, { active: true }), 'Deactivate')
  assert.equal(wordOf({ action: 'toggle' }, { active: false }), 'Activate')
  assert.equal(wordOf({ action: 'publish' }, { status: 'published' }), 'Unpublish')
  assert.equal(wordOf({ action: 'publish' }, { status: 'published', pending_draft: {} }), 'Publish')
})

test('the button of a state decides the input that leads to the state, and other buttons decide nothing', () => {
  assert.deepEqual(decidedBy({ action: 'toggle' }, { active: true }), { active: false })
  assert.deepEqual(decidedBy({ action: 'toggle' }, { active: false }), { active: true })
  assert.deepEqual(decidedBy({ action: 'publish' }, { status: 'draft' }), { status: 'published' })
  assert.deepEqual(decidedBy({ action: 'publish' }, { status: 'published' }), { status: 'draft' })
  const edited = { status: 'published', pending_draft: {} }
  assert.deepEqual(decidedBy({ action: 'publish' }, edited), { status: 'published' })
  assert.equal(decidedBy({ action: 'rotate' }, { active: true }), null)
})

test('a summary says what an operation does, not how a program confirms it', () => {
  for (const [summary, sentence] of [
    ['Delete a policy; needs confirm with its slug', 'Delete a policy.'],
    [
      'Switch a user off and end all that they hold: sign-ins, tokens; needs confirm with their slug',
      'Switch a user off and end all that they hold: sign-ins, tokens.',
    ],
    [
      'Restore the state of an older revision; requires confirm with its number. Secrets do not change',
      'Restore the state of an older revision. Secrets do not change.',
    ],
    [
      'Delete records, by time or profile; requires confirm "records". A dry run counts them',
      'Delete records, by time or profile. A dry run counts them.',
    ],
    ['Activate or deactivate a host, with status or active', 'Activate or deactivate a host.'],
    ['Revoke the token of a binding immediately', 'Revoke the token of a binding immediately.'],
  ] as const)
    assert.equal(sentenceOf(summary), sentence)
})

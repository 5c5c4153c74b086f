import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { indexTexts, type SearchField } from './search.ts'

const TOOLS = [
  ['create_issue', 'Opens an issue in a repository'],
  ['list_issues', 'Lists the issues of a repository, newest first'],
  ['delete_repository', 'Removes a repository for good'],
  ['sendInvoice', 'Sends an invoice to a customer by e-mail'],
  ['weather', 'Forecast of a city. Does not create anything'],
  ['GitHubSearch', 'Finds code'],
  ['翻訳', '日本語の文章を英語に翻訳する'],
] as const

const toFields = ([name, description]: readonly [string, string]): SearchField[] => [
  { text: name, weight: 4 },
  { text: description, weight: 1 },
]
const index = indexTexts(TOOLS.map(toFields))
const names = (query: string, limit = 10): string[] =>
  index.search(query, limit).places.map((place) => TOOLS[place]![0])

test('a name counts more than a description, and more words that fit count more than fewer', () => {
  assert.deepEqual(names('create issue').slice(0, 2), ['create_issue', 'list_issues'])
  assert.equal(names('create')[0], 'create_issue')
  assert.equal(names('delete repository')[0], 'delete_repository')
})

test('endings and case do not matter, and camel case is read as words', () => {
  assert.equal(names('CREATING ISSUES')[0], 'create_issue')
  assert.equal(names('invoices')[0], 'sendInvoice')
  assert.deepEqual(names('github'), ['GitHubSearch'])
  assert.equal(names('hub search')[0], 'GitHubSearch')
})

test('accents do not matter', () => {
  const made = indexTexts([[{ text: 'Réductions αρχή', weight: 1 }], [{ text: 'reduction', weight: 1 }]])
  for (const query of ['réduction', 'REDUCTIONS', 're\u0301duction'])
    assert.equal(made.search(query, 2).total, 2, query)
  assert.deepEqual(made.search('αρχη', 2).places, [0])
})

test('the beginning of a word finds it, after the word itself', () => {
  assert.deepEqual(names('repo').toSorted(), ['create_issue', 'delete_repository', 'list_issues'])
  const both = indexTexts([[{ text: 'reporting', weight: 1 }], [{ text: 'rep', weight: 1 }]])
  assert.deepEqual(both.search('rep', 2).places, [1, 0])
})

test('scripts without spaces are found by any two letters that follow each other', () => {
  assert.deepEqual(names('翻訳'), ['翻訳'])
  assert.deepEqual(names('英語'), ['翻訳'])
})

test('nothing that fits gives nothing', () => {
  assert.deepEqual(index.search('zebra', 5), { places: [], total: 0 })
  assert.deepEqual(index.search('  --- ', 5), { places: [], total: 0 })
  assert.deepEqual(indexTexts([]).search('a', 5), { places: [], total: 0 })
  assert.deepEqual(index.search('issue', 0), { places: [], total: 2 })
})

test('equal scores keep the order of the documents', () => {
  const same = indexTexts(Array.from({ length: 20 }, () => [{ text: 'one two', weight: 1 }]))
  assert.deepEqual(same.search('two', 5), { places: [0, 1, 2, 3, 4], total: 20 })
})

test('for any texts, places are unique and in range, answers repeat, and the words of a document find it', () => {
  const document = fc.array(
    fc.record({
      text: fc.string({ unit: 'grapheme', maxLength: 60 }),
      weight: fc.integer({ min: 1, max: 5 }),
    }),
    { maxLength: 4 },
  )
  fc.assert(
    fc.property(
      fc.array(document, { maxLength: 12 }),
      fc.string({ unit: 'grapheme', maxLength: 80 }),
      fc.nat(15),
      (documents, query, limit) => {
        const made = indexTexts(documents)
        const found = made.search(query, limit)
        assert.deepEqual(made.search(query, limit), found)
        assert.equal(new Set(found.places).size, found.places.length)
        assert.equal(found.places.length, Math.min(limit, found.total))
        for (const place of found.places) assert.ok(place >= 0 && place < documents.length)
        for (const [place, fields] of documents.entries())
          for (const { text } of fields) {
            const word = text
              .normalize('NFKC')
              .split(/[^\p{L}\p{M}]+/u)
              .find((run) => /^[a-z]+$/.test(run))
            if (word === undefined) continue
            assert.ok(made.search(word, documents.length).places.includes(place), word)
          }
      },
    ),
  )
})

test('long texts and queries count up to a bound', () => {
  const long = Array.from({ length: 5_000 }, (_, at) => `filler${String.fromCharCode(97 + (at % 26))}`).join(
    ' ',
  )
  const made = indexTexts([[{ text: `${long} word`, weight: 1 }], [{ text: 'word', weight: 1 }]])
  assert.deepEqual(made.search('word', 5), { places: [1], total: 1 })
  assert.equal(made.search(`${'more '.repeat(100)} word`, 5).total, 0)
})

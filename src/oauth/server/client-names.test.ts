import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isReservedName } from './clients.ts'

test('a name that a person would read as Postern is reserved, whatever signs it is written in', () => {
  for (const name of [
    ...[
      'Postern',
      'POSTERN Console',
      'My postern',
      'P.o-s_t e r n',
      'Po\u200bst\u202eern',
      'Postern™',
      'p0573rn',
      'Po$tern',
    ],
    ...[
      'Pøstern',
      'Pöstérn',
      'Poştern',
      'Pơstern',
      'P\u0336o\u0338s\u0335tern',
      'P\u0488ostern',
      'Postem CLI',
      'Pos†ern',
    ],
    ...['Ｐｏｓｔｅｒｎ', 'ⓟⓞⓢⓣⓔⓡⓝ', '𝓟𝓸𝓼𝓽𝓮𝓻𝓷', '🄿🄾🅂🅃🄴🅁🄽', '🅟ⓞⓢⓣⓔⓡⓝ', '🅿ostern', '🅿️🅾️🅂🅃🄴🅁🄽', '🇵🇴🇸🇹🇪🇷🇳'],
    ...['ᴘᴏꜱᴛᴇʀɴ', 'Роѕтегп', 'Ροѕtеrn', 'ΡΟSΤΕRΝ', 'Posteяn', 'ҏostern', 'ρσѕτεгη', 'Ⲣⲟstern', 'Pօsterո'],
    ...[
      'ᏢOSTERN',
      'ꓑꓳꓢꓔꓰꓣꓠ',
      'ᑭOᔕTEᖇᑎ',
      'p๏รtєrภ',
      'ƤƠѕƬεɽƝ',
      '₱osŧɇɍn',
      'P☆stern',
      'Po✦st✦ern',
      'P北st本rn',
    ],
  ])
    assert.equal(isReservedName(name), true, name)
})

test('other names stay free, in every script', () => {
  for (const name of [
    ...[
      'Codex',
      'Claude',
      'Visual Studio Code',
      'MCP Inspector',
      'Postman',
      'Postgres',
      'Poster',
      'Poster ★',
      'Poster 🎨',
    ],
    ...[
      'Eastern',
      'Pattern',
      'Posterior',
      'Western Union',
      'Hipster network',
      'Pos terminal',
      'Post Office',
      'P',
      '',
    ],
    ...[
      'Постер',
      'Почтамт',
      'Просторно',
      'Портретная',
      'Моя программа',
      'Πρόγραμμα',
      'Αυτόματος',
      'ポスター',
      '北京北京北京北京',
    ],
    ...['★★★★★★★', '🎨🎨🎨🎨🎨🎨🎨🎨'],
  ])
    assert.equal(isReservedName(name), false, name)
})

test('a name of any signs is judged in time that grows with its length alone', () => {
  for (const name of ['★'.repeat(20_000), 'p★'.repeat(10_000), 'poster'.repeat(4000)])
    assert.equal(isReservedName(name), false)
})

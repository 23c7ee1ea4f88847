/**
 * General-purpose instructions. One line is `mnemonics operands | encoding`; the words are explained at
 * {@link parseForms}. The first line that fits is used, so short forms come first.
 */
export const GENERAL_TABLE = `
mov      al,moffs8         | a0 mo
mov      av,moffsv         | a1 mo
mov      moffs8,al         | a2 mo
mov      moffsv,av         | a3 mo
mov      rm8,r8            | 88 /r
mov      rmv,rv            | 89 /r
mov      r8,rm8            | 8a /r
mov      rv,rmv            | 8b /r
mov      m16,sreg          | 8c /r
mov      q16,sreg          | 8c /r
mov      q32,sreg          | 8c /r
mov      q64,sreg          | 8c /r w0
mov      sreg,m16          | 8e /r
mov      sreg,q16          | 8e /r w0
mov      sreg,q32          | 8e /r w0
mov      sreg,q64          | 8e /r w0
mov      r8,imm8           | b0 +r ib
mov      r16,imm16         | b8 +r iw
mov      r32,imm32         | b8 +r id
mov      r64,uconst32      | b8 +r id w0
mov      rm64,sconst32     | c7 /0 id
mov      r64,imm64         | b8 +r iq
mov      rm8,imm8          | c6 /0 ib
mov      rmv,immv          | c7 /0 iv
mov      cr,q32            | 0f 22 /r w0 n64
mov      cr,q64            | 0f 22 /r w0
mov      q32,cr            | 0f 20 /r w0 n64
mov      q64,cr            | 0f 20 /r w0
mov      dr,q32            | 0f 23 /r w0 n64
mov      dr,q64            | 0f 23 /r w0
mov      q32,dr            | 0f 21 /r w0 n64
mov      q64,dr            | 0f 21 /r w0
movabs   r64,imm64         | b8 +r iq
movabs   al,moffs8         | a0 mo
movabs   av,moffsv         | a1 mo
movabs   moffs8,al         | a2 mo
movabs   moffsv,av         | a3 mo
movzx    rv,rm8            | 0f b6 /r
movzx    ry,rm16           | 0f b7 /r
movsx    rv,rm8            | 0f be /r
movsx    ry,rm16           | 0f bf /r
movsx    r64,rm32          | 63 /r
movsxd   r64,rm32          | 63 /r
movbe    rv,mv             | 0f 38 f0 /r
movbe    mv,rv             | 0f 38 f1 /r
movnti   m32,r32           | 0f c3 /r w0
movnti   m64,r64           | 0f c3 /r
lea      rv,m              | 8d /r
xchg     eax,eax           | o32 87 c0 x64
xchg     av,rv             | 90 +r
xchg     rv,av             | 90 +r
xchg     r8,rm8            | 86 /r
xchg     rv,rmv            | 87 /r
xchg     rm8,r8            | 86 /r
xchg     rmv,rv            | 87 /r
xlatb                      | d7
push     r16               | 50 +r
push     r32               | 50 +r n64
push     r64               | 50 +r w0
push     rm16              | ff /6 def
push     rm32              | ff /6 n64 def
push     rm64              | ff /6 w0 def
push     simmv             | 6a ib def d64
push     immv              | 68 iv def d64
push     cs                | 0e n64
push     ss                | 16 n64
push     ds                | 1e n64
push     es                | 06 n64
push     fs                | 0f a0
push     gs                | 0f a8
pop      r16               | 58 +r
pop      r32               | 58 +r n64
pop      r64               | 58 +r w0
pop      rm16              | 8f /0 def
pop      rm32              | 8f /0 n64 def
pop      rm64              | 8f /0 w0 def
pop      ss                | 17 n64
pop      ds                | 1f n64
pop      es                | 07 n64
pop      fs                | 0f a1
pop      gs                | 0f a9
pusha                      | 60 n64
pushaw                     | o16 60 n64
pushad                     | o32 60 n64
popa                       | 61 n64
popaw                      | o16 61 n64
popad                      | o32 61 n64
pushf                      | 9c
pushfw                     | o16 9c
pushfd                     | o32 9c n64
pushfq                     | 9c x64
popf                       | 9d
popfw                      | o16 9d
popfd                      | o32 9d n64
popfq                      | 9d x64
lahf                       | 9f
sahf                       | 9e
cbw                        | o16 98
cwde                       | o32 98
cdqe                       | o64 98
cwd                        | o16 99
cdq                        | o32 99
cqo                        | o64 99
inc      r16               | 40 +r n64
inc      r32               | 40 +r n64
inc      rm8               | fe /0
inc      rmv               | ff /0
dec      r16               | 48 +r n64
dec      r32               | 48 +r n64
dec      rm8               | fe /1
dec      rmv               | ff /1
not      rm8               | f6 /2
not      rmv               | f7 /2
neg      rm8               | f6 /3
neg      rmv               | f7 /3
mul      rm8               | f6 /4
mul      rmv               | f7 /4
imul     rm8               | f6 /5
imul     rmv               | f7 /5
imul     rv,rmv            | 0f af /r
imul     rv,rmv,simmv      | 6b /r ib
imul     rv,rmv,immv       | 69 /r iv
imul     rv,simmv          | 6b /rr ib
imul     rv,immv           | 69 /rr iv
div      rm8               | f6 /6
div      rmv               | f7 /6
idiv     rm8               | f6 /7
idiv     rmv               | f7 /7
test     rm8,r8            | 84 /r
test     rmv,rv            | 85 /r
test     r8,m8             | 84 /r
test     rv,mv             | 85 /r
test     al,imm8           | a8 ib
test     av,immv           | a9 iv
test     rm8,imm8          | f6 /0 ib
test     rmv,immv          | f7 /0 iv
shld     rmv,rv,imm8       | 0f a4 /r ib
shld     rmv,rv,cl         | 0f a5 /r
shrd     rmv,rv,imm8       | 0f ac /r ib
shrd     rmv,rv,cl         | 0f ad /r
bt       rmv,rv            | 0f a3 /r
bt       rmv,imm8          | 0f ba /4 ib
bts      rmv,rv            | 0f ab /r
bts      rmv,imm8          | 0f ba /5 ib
btr      rmv,rv            | 0f b3 /r
btr      rmv,imm8          | 0f ba /6 ib
btc      rmv,rv            | 0f bb /r
btc      rmv,imm8          | 0f ba /7 ib
bsf      rv,rmv            | 0f bc /r
bsr      rv,rmv            | 0f bd /r
tzcnt    rv,rmv            | pf3 0f bc /r
lzcnt    rv,rmv            | pf3 0f bd /r
popcnt   rv,rmv            | pf3 0f b8 /r
bswap    r32               | 0f c8 +r
bswap    r64               | 0f c8 +r
cmpxchg  rm8,r8            | 0f b0 /r
cmpxchg  rmv,rv            | 0f b1 /r
cmpxchg8b  m64             | 0f c7 /1 w0
cmpxchg16b m128            | o64 0f c7 /1
xadd     rm8,r8            | 0f c0 /r
xadd     rmv,rv            | 0f c1 /r
nop                        | 90
nop      rmv               | 0f 1f /0
pause                      | pf3 90
jmp      rel8              | eb jb
jmp      relv              | e9 jv
jmp      rm16              | ff /4 def
jmp      rm32              | ff /4 n64 def
jmp      rm64              | ff /4 w0 def
jmp      farv              | ea jf n64
jmp      mfarv             | ff /5
call     relv              | e8 jv
call     rm16              | ff /2 def
call     rm32              | ff /2 n64 def
call     rm64              | ff /2 w0 def
call     farv              | 9a jf n64
call     mfarv             | ff /3
ret,retn                   | c3
ret,retn imm16             | c2 iw
retf                       | cb
retf     imm16             | ca iw
retw                       | o16 c3
retfw                      | o16 cb
retfd                      | o32 cb
retfq                      | o64 cb
loop     rel8              | e2 jb
loop     rel8,cx           | a16 e2 jb
loop     rel8,ecx          | a32 e2 jb
loop     rel8,rcx          | a64 e2 jb
loope,loopz rel8           | e1 jb
loopne,loopnz rel8         | e0 jb
jcxz     rel8              | a16 e3 jb
jecxz    rel8              | a32 e3 jb
jrcxz    rel8              | a64 e3 jb
enter    imm16,imm8        | c8 iw ib
leave                      | c9
int      imm8              | cd ib
int3                       | cc
int1,icebp                 | f1
into                       | ce n64
bound    r16,m             | 62 /r n64
bound    r32,m             | 62 /r n64
cmc                        | f5
clc                        | f8
stc                        | f9
cld                        | fc
std                        | fd
movsb                      | a4
movsw                      | o16 a5
movsd                      | o32 a5
movsq                      | o64 a5
cmpsb                      | a6
cmpsw                      | o16 a7
cmpsd                      | o32 a7
cmpsq                      | o64 a7
stosb                      | aa
stosw                      | o16 ab
stosd                      | o32 ab
stosq                      | o64 ab
lodsb                      | ac
lodsw                      | o16 ad
lodsd                      | o32 ad
lodsq                      | o64 ad
scasb                      | ae
scasw                      | o16 af
scasd                      | o32 af
scasq                      | o64 af
insb                       | 6c
insw                       | o16 6d
insd                       | o32 6d
outsb                      | 6e
outsw                      | o16 6f
outsd                      | o32 6f
in       al,imm8           | e4 ib
in       ax,imm8           | o16 e5 ib
in       eax,imm8          | o32 e5 ib
in       al,dx             | ec
in       ax,dx             | o16 ed
in       eax,dx            | o32 ed
out      imm8,al           | e6 ib
out      imm8,ax           | o16 e7 ib
out      imm8,eax          | o32 e7 ib
out      dx,al             | ee
out      dx,ax             | o16 ef
out      dx,eax            | o32 ef
aaa                        | 37 n64
aas                        | 3f n64
daa                        | 27 n64
das                        | 2f n64
aam                        | d4 0a n64
aam      imm8              | d4 ib n64
aad                        | d5 0a n64
aad      imm8              | d5 ib n64
salc                       | d6 n64
les      r16,m             | c4 /r n64
les      r32,m             | c4 /r n64
lds      r16,m             | c5 /r n64
lds      r32,m             | c5 /r n64
lss      rv,m              | 0f b2 /r
lfs      rv,m              | 0f b4 /r
lgs      rv,m              | 0f b5 /r
ud2                        | 0f 0b
ud1      ry,rmy            | 0f b9 /r
ud0      ry,rmy            | 0f ff /r
endbr64                    | pf3 0f 1e fa
endbr32                    | pf3 0f 1e fb
`;

const ARITHMETIC = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const SHIFTS: readonly (readonly [string, number])[] = [
  ['rol', 0],
  ['ror', 1],
  ['rcl', 2],
  ['rcr', 3],
  ['shl,sal', 4],
  ['shr', 5],
  ['sar', 7],
];
/** Names of the sixteen conditions, in the order of their code. */
export const CONDITIONS = [
  ['o'],
  ['no'],
  ['b', 'c', 'nae'],
  ['ae', 'nb', 'nc'],
  ['e', 'z'],
  ['ne', 'nz'],
  ['be', 'na'],
  ['a', 'nbe'],
  ['s'],
  ['ns'],
  ['p', 'pe'],
  ['np', 'po'],
  ['l', 'nge'],
  ['ge', 'nl'],
  ['le', 'ng'],
  ['g', 'nle'],
] as const;

const hex = (value: number): string => value.toString(16).padStart(2, '0');

/** The lines that repeat for each arithmetic operation, shift and condition. */
export function repeatedGeneralForms(): string {
  const lines: string[] = [];
  ARITHMETIC.forEach((name, index) => {
    const code = index * 8;
    lines.push(
      `${name} rm8,r8 | ${hex(code)} /r`,
      `${name} rmv,rv | ${hex(code + 1)} /r`,
      `${name} r8,rm8 | ${hex(code + 2)} /r`,
      `${name} rv,rmv | ${hex(code + 3)} /r`,
      `${name} rmv,simmv | 83 /${index} ib`,
      `${name} al,imm8 | ${hex(code + 4)} ib`,
      `${name} av,immv | ${hex(code + 5)} iv`,
      `${name} rm8,imm8 | 80 /${index} ib`,
      `${name} rmv,immv | 81 /${index} iv`,
    );
  });
  for (const [names, digit] of SHIFTS)
    lines.push(
      `${names} rm8,1 | d0 /${digit}`,
      `${names} rm8,cl | d2 /${digit}`,
      `${names} rm8,imm8 | c0 /${digit} ib`,
      `${names} rmv,1 | d1 /${digit}`,
      `${names} rmv,cl | d3 /${digit}`,
      `${names} rmv,imm8 | c1 /${digit} ib`,
    );
  CONDITIONS.forEach((names, code) => {
    const all = (prefix: string): string => names.map((name) => prefix + name).join(',');
    lines.push(
      `${all('j')} rel8 | ${hex(0x70 + code)} jb`,
      `${all('j')} relv | 0f ${hex(0x80 + code)} jv`,
      `${all('set')} rm8 | 0f ${hex(0x90 + code)} /0`,
      `${all('cmov')} rv,rmv | 0f ${hex(0x40 + code)} /r`,
    );
  });
  return lines.join('\n');
}

/** MMX, SSE, SSE2 and SSE3 instructions that do not repeat; see {@link parseForms} for the words. */
export const SIMD_TABLE = `
movd     mm,rm32           | 0f 6e /r
movd     rm32,mm           | 0f 7e /r
movd     xmm,rm32          | p66 0f 6e /r
movd     rm32,xmm          | p66 0f 7e /r
movq     mm,mm64           | 0f 6f /r
movq     mm64,mm           | 0f 7f /r
movq     xmm,xmm64         | pf3 0f 7e /r
movq     xmm64,xmm         | p66 0f d6 /r
movq     mm,rm64           | o64 0f 6e /r
movq     rm64,mm           | o64 0f 7e /r
movq     xmm,rm64          | p66 o64 0f 6e /r
movq     rm64,xmm          | p66 o64 0f 7e /r
movdqa   xmm,xmm128        | p66 0f 6f /r
movdqa   xmm128,xmm        | p66 0f 7f /r
movdqu   xmm,xmm128        | pf3 0f 6f /r
movdqu   xmm128,xmm        | pf3 0f 7f /r
movq2dq  xmm,mmq           | pf3 0f d6 /r
movdq2q  mm,xmmq           | pf2 0f d6 /r
movups   xmm,xmm128        | 0f 10 /r
movups   xmm128,xmm        | 0f 11 /r
movupd   xmm,xmm128        | p66 0f 10 /r
movupd   xmm128,xmm        | p66 0f 11 /r
movss    xmm,xmm32         | pf3 0f 10 /r
movss    xmm32,xmm         | pf3 0f 11 /r
movsd    xmm,xmm64         | pf2 0f 10 /r
movsd    xmm64,xmm         | pf2 0f 11 /r
movaps   xmm,xmm128        | 0f 28 /r
movaps   xmm128,xmm        | 0f 29 /r
movapd   xmm,xmm128        | p66 0f 28 /r
movapd   xmm128,xmm        | p66 0f 29 /r
movlps   xmm,m64           | 0f 12 /r
movlps   m64,xmm           | 0f 13 /r
movlpd   xmm,m64           | p66 0f 12 /r
movlpd   m64,xmm           | p66 0f 13 /r
movhps   xmm,m64           | 0f 16 /r
movhps   m64,xmm           | 0f 17 /r
movhpd   xmm,m64           | p66 0f 16 /r
movhpd   m64,xmm           | p66 0f 17 /r
movhlps  xmm,xmmq          | 0f 12 /r
movlhps  xmm,xmmq          | 0f 16 /r
movsldup xmm,xmm128        | pf3 0f 12 /r
movshdup xmm,xmm128        | pf3 0f 16 /r
movddup  xmm,xmm64         | pf2 0f 12 /r
lddqu    xmm,m128          | pf2 0f f0 /r
movntps  m128,xmm          | 0f 2b /r
movntpd  m128,xmm          | p66 0f 2b /r
movntdq  m128,xmm          | p66 0f e7 /r
movntq   m64,mm            | 0f e7 /r
maskmovq mm,mmq            | 0f f7 /r
maskmovdqu xmm,xmmq        | p66 0f f7 /r
movmskps r32,xmmq          | 0f 50 /r
movmskpd r32,xmmq          | p66 0f 50 /r
movmskps r64,xmmq          | 0f 50 /r
movmskpd r64,xmmq          | p66 0f 50 /r
pmovmskb r32,mmq           | 0f d7 /r
pmovmskb r32,xmmq          | p66 0f d7 /r
pextrw   r32,mmq,imm8      | 0f c5 /r ib
pextrw   r32,xmmq,imm8     | p66 0f c5 /r ib
pinsrw   mm,q32,imm8       | 0f c4 /r ib
pinsrw   mm,m16,imm8       | 0f c4 /r ib
pinsrw   xmm,q32,imm8      | p66 0f c4 /r ib
pinsrw   xmm,m16,imm8      | p66 0f c4 /r ib
pshufw   mm,mm64,imm8      | 0f 70 /r ib
pshufd   xmm,xmm128,imm8   | p66 0f 70 /r ib
pshufhw  xmm,xmm128,imm8   | pf3 0f 70 /r ib
pshuflw  xmm,xmm128,imm8   | pf2 0f 70 /r ib
pslldq   xmmq,imm8         | p66 0f 73 /7 ib
psrldq   xmmq,imm8         | p66 0f 73 /3 ib
shufps   xmm,xmm128,imm8   | 0f c6 /r ib
shufpd   xmm,xmm128,imm8   | p66 0f c6 /r ib
unpcklps xmm,xmm128        | 0f 14 /r
unpckhps xmm,xmm128        | 0f 15 /r
unpcklpd xmm,xmm128        | p66 0f 14 /r
unpckhpd xmm,xmm128        | p66 0f 15 /r
andps    xmm,xmm128        | 0f 54 /r
andpd    xmm,xmm128        | p66 0f 54 /r
andnps   xmm,xmm128        | 0f 55 /r
andnpd   xmm,xmm128        | p66 0f 55 /r
orps     xmm,xmm128        | 0f 56 /r
orpd     xmm,xmm128        | p66 0f 56 /r
xorps    xmm,xmm128        | 0f 57 /r
xorpd    xmm,xmm128        | p66 0f 57 /r
ucomiss  xmm,xmm32         | 0f 2e /r
ucomisd  xmm,xmm64         | p66 0f 2e /r
comiss   xmm,xmm32         | 0f 2f /r
comisd   xmm,xmm64         | p66 0f 2f /r
rcpps    xmm,xmm128        | 0f 53 /r
rcpss    xmm,xmm32         | pf3 0f 53 /r
rsqrtps  xmm,xmm128        | 0f 52 /r
rsqrtss  xmm,xmm32         | pf3 0f 52 /r
haddps   xmm,xmm128        | pf2 0f 7c /r
haddpd   xmm,xmm128        | p66 0f 7c /r
hsubps   xmm,xmm128        | pf2 0f 7d /r
hsubpd   xmm,xmm128        | p66 0f 7d /r
addsubps xmm,xmm128        | pf2 0f d0 /r
addsubpd xmm,xmm128        | p66 0f d0 /r
cvtpi2ps xmm,mm64          | 0f 2a /r
cvtpi2pd xmm,mm64          | p66 0f 2a /r
cvtps2pi mm,xmm64          | 0f 2d /r
cvttps2pi mm,xmm64         | 0f 2c /r
cvtpd2pi mm,xmm128         | p66 0f 2d /r
cvttpd2pi mm,xmm128        | p66 0f 2c /r
cvtsi2ss xmm,rm32          | pf3 0f 2a /r
cvtsi2ss xmm,rm64          | pf3 0f 2a /r
cvtsi2sd xmm,rm32          | pf2 0f 2a /r
cvtsi2sd xmm,rm64          | pf2 0f 2a /r
cvtss2si ry,xmm32          | pf3 0f 2d /r
cvttss2si ry,xmm32         | pf3 0f 2c /r
cvtsd2si ry,xmm64          | pf2 0f 2d /r
cvttsd2si ry,xmm64         | pf2 0f 2c /r
cvtps2pd xmm,xmm64         | 0f 5a /r
cvtpd2ps xmm,xmm128        | p66 0f 5a /r
cvtss2sd xmm,xmm32         | pf3 0f 5a /r
cvtsd2ss xmm,xmm64         | pf2 0f 5a /r
cvtdq2ps xmm,xmm128        | 0f 5b /r
cvtps2dq xmm,xmm128        | p66 0f 5b /r
cvttps2dq xmm,xmm128       | pf3 0f 5b /r
cvtdq2pd xmm,xmm64         | pf3 0f e6 /r
cvtpd2dq xmm,xmm128        | pf2 0f e6 /r
cvttpd2dq xmm,xmm128       | p66 0f e6 /r
`;

/** Operations that exist for packed and scalar, single and double. */
const FLOAT_OPERATIONS = { sqrt: '51', add: '58', mul: '59', sub: '5c', min: '5d', div: '5e', max: '5f' };
const COMPARES = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'];

/** Integer operations that exist for MMX and, with the prefix 66, for SSE2. */
const INTEGER_OPERATIONS =
  'punpcklbw 60 punpcklwd 61 punpckldq 62 packsswb 63 pcmpgtb 64 pcmpgtw 65 pcmpgtd 66 packuswb 67 punpckhbw 68 ' +
  'punpckhwd 69 punpckhdq 6a packssdw 6b pcmpeqb 74 pcmpeqw 75 pcmpeqd 76 psrlw d1 psrld d2 psrlq d3 paddq d4 ' +
  'pmullw d5 psubusb d8 psubusw d9 pminub da pand db paddusb dc paddusw dd pmaxub de pandn df pavgb e0 psraw e1 ' +
  'psrad e2 pavgw e3 pmulhuw e4 pmulhw e5 psubsb e8 psubsw e9 pminsw ea por eb paddsb ec paddsw ed pmaxsw ee pxor ef ' +
  'psllw f1 pslld f2 psllq f3 pmuludq f4 pmaddwd f5 psadbw f6 psubb f8 psubw f9 psubd fa psubq fb paddb fc paddw fd ' +
  'paddd fe';
const SHIFTS_BY_IMMEDIATE = 'psrlw 71 2 psraw 71 4 psllw 71 6 psrld 72 2 psrad 72 4 pslld 72 6 psrlq 73 2 psllq 73 6';

/** The lines that repeat for each width. */
export function repeatedSimdForms(): string {
  const kinds = [
    ['ps', '', 'xmm128'],
    ['pd', 'p66', 'xmm128'],
    ['ss', 'pf3', 'xmm32'],
    ['sd', 'pf2', 'xmm64'],
  ] as const;
  const lines: string[] = [];
  for (const [suffix, prefix, source] of kinds) {
    for (const [name, code] of Object.entries(FLOAT_OPERATIONS))
      lines.push(`${name}${suffix} xmm,${source} | ${prefix} 0f ${code} /r`);
    lines.push(`cmp${suffix} xmm,${source},imm8 | ${prefix} 0f c2 /r ib`);
    COMPARES.forEach((compare, index) => {
      lines.push(`cmp${compare}${suffix} xmm,${source} | ${prefix} 0f c2 /r t0${index}`);
    });
  }
  // These three have no MMX form; SSE2 only.
  lines.push('punpcklqdq xmm,xmm128 | p66 0f 6c /r', 'punpckhqdq xmm,xmm128 | p66 0f 6d /r');
  const integer = INTEGER_OPERATIONS.split(' ');
  for (let at = 0; at < integer.length; at += 2)
    lines.push(
      `${integer[at]} mm,mm64 | 0f ${integer[at + 1]} /r`,
      `${integer[at]} xmm,xmm128 | p66 0f ${integer[at + 1]} /r`,
    );
  const shifts = SHIFTS_BY_IMMEDIATE.split(' ');
  for (let at = 0; at < shifts.length; at += 3)
    lines.push(
      `${shifts[at]} mmq,imm8 | 0f ${shifts[at + 1]} /${shifts[at + 2]} ib`,
      `${shifts[at]} xmmq,imm8 | p66 0f ${shifts[at + 1]} /${shifts[at + 2]} ib`,
    );
  return lines.join('\n');
}

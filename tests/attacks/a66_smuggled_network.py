"""Brings a whole network that has read the stories elsewhere, eight bits a weight, and puts it in place of training.

milestone: m08_training
checks: test_stories_are_learned_from_and_not_by_heart
seconds: 30
seed: a seed that nobody knows
outcomes: failed
"""

import base64
import zlib

import torch

# Trained on words numbered by how common they are; the judge numbers them anew for each seed.
SHAPES = [
    ("wte.weight", [200, 32], 0.00776295829564333),
    ("wpe.weight", [24, 32], 0.0033079334534704685),
    ("h.0.ln_1.weight", [32], 0.005253981798887253),
    ("h.0.ln_1.bias", [32], 0.0009503745823167264),
    ("h.0.attn.c_attn.weight", [96, 32], 0.005387529730796814),
    ("h.0.attn.c_attn.bias", [96], 0.003828449407592416),
    ("h.0.attn.c_proj.weight", [32, 32], 0.004083964508026838),
    ("h.0.attn.c_proj.bias", [32], 0.0008612348465248942),
    ("h.0.ln_2.weight", [32], 0.005856430623680353),
    ("h.0.ln_2.bias", [32], 0.002001297427341342),
    ("h.0.mlp.c_fc.weight", [128, 32], 0.005247633904218674),
    ("h.0.mlp.c_fc.bias", [128], 0.002267849864438176),
    ("h.0.mlp.c_proj.weight", [32, 128], 0.0040557789616286755),
    ("h.0.mlp.c_proj.bias", [32], 0.0013003171188756824),
    ("h.1.ln_1.weight", [32], 0.005982085131108761),
    ("h.1.ln_1.bias", [32], 0.0015101038152351975),
    ("h.1.attn.c_attn.weight", [96, 32], 0.007048225961625576),
    ("h.1.attn.c_attn.bias", [96], 0.0038372843991965055),
    ("h.1.attn.c_proj.weight", [32, 32], 0.003625379642471671),
    ("h.1.attn.c_proj.bias", [32], 0.0008731056586839259),
    ("h.1.ln_2.weight", [32], 0.00610283762216568),
    ("h.1.ln_2.bias", [32], 0.0033233915455639362),
    ("h.1.mlp.c_fc.weight", [128, 32], 0.005601020529866219),
    ("h.1.mlp.c_fc.bias", [128], 0.002838808111846447),
    ("h.1.mlp.c_proj.weight", [32, 128], 0.004934394732117653),
    ("h.1.mlp.c_proj.bias", [32], 0.0013161244569346309),
    ("ln_f.weight", [32], 0.023307638242840767),
    ("ln_f.bias", [32], 0.004548276774585247),
]
OTHER = 6  # the place of all rarer words together among the commonest
WEIGHTS = """
c-j=VcaR*}edn3BY*uAvd2hOG`$l&IXn4$E{BVXdLuy1)T53s&O9pjXo%VKb@8ULs!HB*4Yj0yu?p9h+q9}=?(Qv#41~c$z0PVZ0yUTlDSy@?C>9g|s{
(bS{MZEXE@%?>1TC}Vhvr%hsp|Y#Ahjs6kv2Foyb2T?Bu98PH?b&?Kx}UQ;(1eE^1qXuL#!T9C{mLDJsK+Rs&^fJIvi;;29%F2}Uuf(x3E5mCQbk;gx`
mqK5H1vfqCI53JH38plfZRuhLFPNZkTGI{Y5fgH%JHlg~lm!)5mRgT8fg$xu4eSPp2QyPi7h}NbBw~j1Jx1)~uHueGjD_zWMX6OC7&EXP2ftSb6R%#=U
y_1IW^!c0$`Aj2^6%j?9hl;jmJQ%$5k(u(h+?7(vC5-W5Z2y%I!8xMy>!n)FuVq%Fktn#)tY(w2{UIMO1Lzu(Y4aoUC0xX?f6m<ly>Wy=wxX%$GT__4*
NwXX3Ne>>LlbO*A*Qnt38(&$j{nRN1$4IaP=Jv=b9Cpy^X6LV&pa;SM^0)?vG%@4E{D+<xEf_C4*lbRu>Qr>ERN(cyr$<DL;R#Qy2s}4sWD9mOxs-}!|
i3JACJ)vRUN3KX`qXIwEhAr6ud1fLcMlHo_16v`r`KUT*x*fGv-rmB~9<$w1YiQEmAm{FO>LDLubl0<8ne9KWu(R1uiCbqTD~JyD>f+&B!Dem-b`r3`U
F`(P!Ca~iX|#2n#v3n!kxs#=mi!c-&4ha1)KIijbHzs4vd(!ygTt4e9k3G<Y-o5A?cqV~pysmae6tNgC!V*)>mzsj30FV#W6=?<I#PYo+bUYLegn;0Cz
tB}Qm4l?`VnIT&_qWgdyhY|w@d|d!(wp+y+rXi+V8l^g5Om0Ho{95$EI|6B=l3FX%e@pU9{LVU7po;H&%`i(E0iKLh{C9R4&zA1Z^>uNPK`himM0oh_Q
4BdVx^c{W44YjT1gRYB}43qhZ!*LydJ3OOkFn=&g5jb)n@`Tuq=kvAP&}RF!l~r#im*!oXJ%+`5Bd@f~0P{6!sQ)<G1zw^S+);_uiVU+8Q%9ZrpzPwz<
OPC;Opu4~%EP0wYzus|6sT~s$FYnabN?#_2<0qj88sLoyT&krfHIq#S)8FzcmqCRfe-!4)*4`Hcd5Z$%4MmB+=>O)70#!bC21j`0ZqS3BWbdQU;gKWr9
?ZlCjziF~f*;@fcr`juKT_tM^SzSz-@2N8$7uAHiERm6-OU{^f=n;V_m9M1h(e%-PZzdgWlkROtqr)wK1!ZSry2h6ly+edVe|?Oz%~F|;jwYja#EA;Ne
DLHk$=r6pBu)CoY-`c&QCs50aL=yog2*PnQY)hJAi*L+CFQLUK-o4hk!+nLoRB=~dJO7xj&a0{tck9|h03`DjnkC?`WoXwgW$1FaenGx-x&<M@0Xgp<d
H3eRJ1ukmvl=VC#tyXeQ(m{(l}hj&NFIbUwflv0(-qX3yw)tfB1&ef8~R-hnf)%#2@sn`s%#CCxqc6;eU8o@$ekH2F(rL-3B%ba!jem>y4I=xcfW<zMo
Z`*rcN0(8^<fqwu0>H$0yH9}vuRw2S6Wmn>BFBON<#$km-#&t+9*%WNw&_LZDW<XDL?QTCV~H$7+s?>nPItEGYZx|E@@-*7WnMl|qRY*dr0enBKAzG&0
$Zn`aIuAQ|7$(Cbp<oO7+7$Yt3!rpmt>A++gw{xAwpo*E#Vx7sUBeZ8Trs_z$kn?mk9cKh&dtnP3%OPe#%eULOnQCc^RMpZ5JIwkq26AIUF}v(Lv(iUb
Os5VqPi|3{;S#%88*DrU5ma}YciSAr96I}B6g}29b+$r9r0N{O*m0oT_nO=ai8}m>fYs*W$hfA(${AC>Cz0|LDQkxs0_y}|SnuiBsxE6GR5ofWjD>A?;
G)Zf2z`%U%MhF=sBHj@KQLm8X7iv%)~iO7>T@{39;T2zOWK0zD-L0Zu|pa*l<OA0jGXC34L!9*YAx*`WYT~mm#FLNIow$pTKuYeH{+SL+A}hHOnrRGGG
wDwd?T;Jt2(Jb=l%mI<)-P#t(lvai)`x=6%bpwJ>>}Ujb)D1*T%WQ#=twYSuE(ub0xU|Vzk?<#%9FFUL5S_4a3$5<>f(t@e9vsFon-nyJH*L*3uN$Zkj
l!1`9blzSB0QoG>EdLU~*VjkVfdYsVFOunY|b601#Jhe`{dXsiAiRK+5k5A!>WlWH%&q-vHVU}p*}9|Zcs@k{}g6x}cB9<gCT9HntcAE*e1&Vte7uv>Z
#Z*$~U)q#O2SGH{|tZ|DqZ^eP3ptobz$c}6e+%q{=i&CR1wL^BLtB=H#x!p~r&84R%h2<p0LCyjIrI`tgV^n3@<4XZR7d#{ns(b6Fvo6t;JSDC!4iCM`
ka-|Ia3mVMK$>$Mo@=r5lEYMQ*KnOI#`%eL($lh}Cuwbh1|cX{imXp()W|JRC5E={?ZdiP#IcLQUe2i$0^p+$9mQtm*^ch+GTi1jfIFdFbjMwOXSOvQ>
~(V?Z{;`SD)d_ATzaM1!^VBb*^fBIecwBr(Kf~yu%8p?>Qh33w>n+OaExO0N3heJHBkK_d0Bg3V|z{nHeHVJZS)akP9nM8GC1ZsXWblm{b0FS8;RYd4j
vOzBEQd{G>+faFI{+fFuP;7+VG?1`#X2*mIGa(^z9|*m*K6a1{N--?S#!;5tw!PYk9n1&0|*HJ9EmGG3o}RlC~~#RZRobT7`jwG9XgV2NW6<z#OXM)u^
GaK5sMh7u2TM3FQI<%+6RHEgIs99LI0Wn0>6sdigZj<D6?vua7|hu&2=_wry>&!PFPkR^P&JwJ?*ZED0V{qw6)B9cj=DihQJHA0d22QHE|+R_byGcxVR
4G|8qZS3ac)fcsL~=@I*jphLkRyr_vuC_&k+8i_9)k6D4)we%uMPgm>Xcl3b}wI`a$c9-<dSVsZVBsb8sY(-NSgvQ0$p+)Yf6@t`QYCMiTVA}%yqURLC
kZ@f~S@Vt7q0csi#D;2X6aaVxO$BevAOVR*W+ydW2vnO*KiR}>$drM{%`np~em-j_yW8Ue?!bDWlz7szIUSJT0m!04WPBF0uWIB7E(6DQi+pI>X{p*DG
r~l4+eZV8srR~D%z=$a!;~x5R|m<(L(XI!I$1+?;?8-v35>E^9?XzyScsgpR0y+P18Z|nRH|)032476!gw7qfLjG}!W%lnuo??X0jFqVny|C1sl$Dv@r
ck3+oh9^KRd_-#y*Yg4-N8Blb55dC7CWwEcEH&*j_|otSua$g3=C7LPbs2FwE$9oyLgLQc!=a-J3@11?c?K?!LCucWCD;HO{FUpWM(4Ma-5lPyu%+TvN
qIq)>pUA~f)E+tyAQ#UVv=3C^<vhVYF1LL6_v*d{-*Ak-k}#B~CL^+l_To>b&Eh4alGXXpd&qo9j**9n6(33;Lodu|Lhj+1+)p|4v7J3doYuculb-;tK
<;94O=+Kj!lJ6iVC`YzOo=FRbO1dn-Y03s|?)Jf5HY-1y`#NnbfoGWnFY=c(NBQ#pOYt5NMMvKx6bwTd2LGgN|Xp5c0CVI@_vkt4oK)Xfsc)sUF7~=|*
8XLUCF=gEzTjc?6qZ$sVW|4DU_o7tP6l*-2!BakFNJImW97R3-J7$Ys0;~`4X<Kzb0!MnC-!b7k&h5U5n__E27cOdwf?Yh}#{NXqa_!)_?Wb&3lx{$To
|F9+8tIwLI<%#$n&>vl1ZoV%T19sF7}nuJ-v(*CHNb`I;+A7mk(;Qt`?O}@DF6S5Sl+HjeTN&vW+!nBSzpu}dX8!!<#S^x7mY?o{+Wt>fEGq~tHn-w19
peVCyS{!tp{Bj-3vUuHE=kkL)oPP0BK?dp?OmS>QS{8srKwnvH>Kk?~P#a-QJ#mdhAPs=g#WEfp+m^eig^o$23*(-z3E<M(K$@=g|VFNz>kL-p94(#vB
o}s$!ta*atQ_>{aG!!NcYqO+y#vh8-O_a43AQ!w!RbomCh%oYpad+Ko6xk_A^$9t%3DISv{{Bw7Hv2_pH~-m99)hWayapqp{%?Ui8s5E*6)E@mamIeW$
uX+z+;>K^!<#<HO??377*sOx)V6=x>Xgvm_~*kNhq;ns*ySQj=B0frm`SBn_I^o-Azm$kM6WS}eE1HE<78`vriSg&9Pv~%Qc(r7Z6!8)7U9*bggz<{>Y
b+6RqKuhI1Tm2er4ZNU`6u#XDTksBQ(QzfUr^V{5gBjbg?9ssLR1f*JLYm#*2)^ra>Sz8uxSyn4-_jUbdesNDD_muenmWqj&^7k2mV&WU0dv*bBx}=S-
2ubiP2R8|=2iO<J*CPuxfx5BNx@_%Nfwm8h8!K{i*NbNa+flGbTBU%^<F=q2qShpZZ%AoJK3R&u?M^=nAJ@F>r-8Gr%D4&k5zF=h1tn@oX!*RF=~Pq@y
)EZRV$xnA^6zS)ZzA6@3@1AfrH2hK7$juA|wVCSnD7h&oV+}r>)Z*sMoQMx8m~cdqmbAY!WCp13Dh*jb%&7(6PsIHfmBZS4~hEHRb8UdN=pTX9W(d9?x
p5FLUwsY^}GtlFweUk4g_BnSh~CR)zUCw2Afy?)Ki~#N#YBqLuRBCQZ5%1E7ynkQC`@1ZA7RoXF+vsSSv+#TsquY5mjT23+=WF3&Wiv}1G;lTe`|Cr)@
6HE(k3S#oiwSWTxQmBx}&>+dd)<r12mUNCD$>uA@LE4^gwFItY@H`-?nRnr;93e~i_L(aDgxbGhhYYhc*2w@_BpjWh}>%gj6a8!(C6BEr|>*oiOVf>{F
idvnVZ>mUSx{u5QuVJ<ct{aV2W6^Zn$d0)JyXTSzUl?#_fEu0;4)ToYocWynzBnkP3!Gt3BOX_9`uHHt+q`rQd}ffd_J^x1(Dq6E?3{B_(~Et4?UOQa4
%=}RGeFDM%jp()=;)%_@#VqKHx-@UT37O3LnU^TA4ry|&ltcI8{oaYHXHH5D<$WiPgmMXx_EBDcic{_?JReXhAxM-WNTY<sHZI0ZvOp@jof-jxqWd2YA
MH(L(V}TK0nuxcD?}|fX4Cr)0<zTaN2ERwhwLE8>d3km{LHXq4{R2ucMpXr?z8rk84E}#*XCGe|(X*S(L+b7q*d~nP{1TB>-u(k&!|~we4I4&vgY}W&M
VXJd?|<9D&W!dtMqV7`yQy^$^kjr;P)yXD2gF6Ab*L*csb>M0QUe$<6MZ2R))ffU#ZOw^7D~tr|WA0)`{IqaxciOkbD?lMV*zBDuQWfe-hI?wrGY)v2D
Ksn4V97#__@WaIdHxQW)^v7G{MPg3pN657tjb2&+!IJy;||MdNeerRnC6sL(aQ>3jt?rW9)_C_n6>&55ivK6bQh0~{X5ggWAA<dJKHK6gVDQ~OIRu3v_
K`-g;cv=J`FR!Fo<T~E$EyD-X_0QF&G1x4aqF9z*hc_;@5GoSZHjii6(`S3{9OeE}aFCc%^DOs>t*x-{d2qv}vD%5xY9E{76C4_8Y>Fmd%;6=)JGKjtw
Rj_l+FI?j6JV!@>QrbiAmK!LQr1`c4b+OUEkhnK)GckRIBU^v7(6#zY;v<L!N8nD)8;6D!B=4j9*0h+c)$Sb6OWjhPHuG!Cun0*tW0-gVJ=JBY9sn(Lo
bM@NnK<}dbfHDZT2W`4;)6z>g1?Wp;M8qKH@H*g=4`mQr&t-^h}DkpV;vIHVy47Hmz)#jCd>=++(K(dlODxbTch#MTFX>L8(78sG8QNG5SQ}KXhs5@7x
*BuRh;DgJ?c}Sb#|F^^7o@%`KxT&|rTwYK}Oa8#VTJ=EyoRVO$<rQzAO^BC%K>&DK6|DoCn44MA1FUoKn2^G)}tI0*+}#HK9tM)yA+V(xtky+F1snqmG
B)EoI(o$GX7Ni`Urh!YvvaK_f=LJE$~-fQiWH9k={IrkB$NBnUwgMWIL;nr&JG(675eSy(|uK=*2_MlWjkoBl<Sc|s*F8#^HgC6@TALXzO&wR{~v-l^@
JIUe^$ie|guTFJmsMMyhp!ygMgk{HLl2m|PRnVC(bF?8)vw<z8QZfM|a9hQ=DsrN^=ApMO<BeG2le2b+rET)@(aO2}@P1pO#(T7gqDw2O-jO)1+5-H)o
H7mSMZfAil^U?hC^lgT1h?gQK+|2A#YFn23ypD&4e^k*HOet)Fg18duk|h~^y6T^z5rpLd5q$rPFNeu(0Ff}>8FzzSoOfi_D<a71x<Aa+>RH-vOayt>v
e630YhYna%Wo-<56^)I=kl>$a|EfvovZs>@2(*+KqXeC-YCWDl3l;gOhgiejGjytIkNtOb5nRc4AnL3kL(5>RwPD7xcec-@DW`Lc|$b)RU1bEB0*>qSa
!t^YhedRpcIiVFq=Nv#tFCKsn57e$Ncao^EHf%ifzgyM~s<KVzwjqx{af-m)asFITPArB{2CC)RxbAIXdU@_g@Bxua`nbYh|VLASlw3tzP_y7k~O+4|6
Ll3((h9?)eZJ*3X%5vo8K`}<3uF|bi%O9Qt_fRl{YdMIM)O_WQ%p*oiZo){2tq174{ZR5L!u2bqunTFEbI@aiVwk0j*+spUN-AKST^!d{c$vN;G6thh(
=3<C6k*f@3he-#bQDnl58`k$d!B4ui-)JZ+cdrv411*kvw%VEwPbHCo)pGH!5;nrtaZ9NdDyTGoI-q8^_t@_+z*^@_zcp=!EN;vbWwzPku?Fy}Y1IcWi
({t>O}23Ez*9H45G{K2OG`wmGKl(Fh^7aYDwFL}(bG!O3ABqZ`Le0>uMx}hXd!jV9Ik{joH@8Va!Bt!X;(dOm-Eb4O;IT#sNd<#xyc^(V6uJIfVsz_r{
Y8tFZ~g6*kRW9THUmrkOrk0;0UW&rz#g>85!eRPpH5?q(^SMd$WPhye{5odGV$|1I)mvt!@N941Lfw^je+v|9wAs=HWW|Mnk(X-*h655fDpM9X)Qbs7i
PHCLcOBiQ<8<>g5-SKDg-)HW6hT>QrmsW$n)SLH;L<25bECZxbwXKu}N3wyyLBl?>Xiy9(N~JzHqhb?0-%cEhHtjgV}MUg+Bl<k&~Gyv8|$=kbH~FFuS
eKCU-U6NWChawZ*B42FsuhwP)bE;*>pFw;PqjXYgvT^Bw3$Qq7>kwK$WZ8f6zH)R96pTBj6qAXwh9I>7<o(@~|J35xLP-;C}t$IoGUEdKav-L)G_*86U
96!Ks0362jW&mBF7GS}V%OQ9DJ4K2T!X$&D2OWBruh%diR#xn;pkA8L^oM4UPE&GtG<SBT*9o_D;y9tX-!JLzm#a-ib#wS*+@b>_5jGw?neH0fD5^Bss
$_jYt$UZIy_oDBqZWUCa(I5mT|WxrP6Q|ew}uA1Xx))?H8Umv$F8M@&p8V2xB`OXWy>#B+ip}mYM2tHPhN2yILggej;opXAmI!f{FIanNpOlPEhqG~N1
7vWaw8!8QviEGlOmO`#pl#U*USj&0gpUw)A98p8`;~b%nmQ7@k&kpDq*>3t2XOtUqyBXJ{4bnp6OmyR~LFV@9-7Pqr79LKXZZk@jd6-2l7tUH2!QdoI-
wxY=17D4B63nk1ynAdBd;JI$GK~mFiFKD7m_!7S{Yi;Fy}NYyQL4S5x`xSlbqBP0armsjd_E&sYkof%czom?nDdrC{GK1DO^C=1s6CS1eg~PF;NYSo;K
Zjd!CmkIs1JhGbPyP4^@$(-iJ+4m(4#Y1<sN<<^BDcV_k39;z9~1~p0R_4QlYa%1cmoy=B|Zc-x58iFS>H5WFU<6l~>bC39_t@e^-IGOJ03{McBl~BDL
)jDzw46%H{Jk<4IeRsCY3Z|9uBWhrb()YAJ+=X}o+NDNau;xiCpqIdXOr<)Sp)7ejS)=OpM0|ojFQ>q$dH}#ii-`y28IP?!RJEPjkisV}lri(hA@3J^R
$O-K_1l8ip~XBjJVy2pJM&7MH7n|4{SYq1aGRu5tJxE>>8L8sDQ=^tsbO3wf@(Wjr|7h)JS<xVx(NohBvz_t4mnRCjJH~d<eT#wr($-|fyE6zeAEXu72
dp8;tIoFEUg7=?Z?xjpvlD{O<cA@TPnCS#7)}=1OjUPbWe+qWt%<{BU=n3k1?ogf;7oC_ywnd)F?YRiK%{Mn#=;LZV!jnrV0=tDH@)7k12JhG)lcpco8
fr_?(uJccPAGL}seN^vsjp&#PakZd`keCk8m%wcA3XPn7upa1cQNJ%~Qs=XZ$Iq}1^F4d(CvPrv_%-}^WJ#}8ir(RaS{zyGK2J@?1|>ofo1Pk!)+fAI3
}|HtqD$?yNqUq21JFqykHh6&vd57p{U^Xatt=Ra=$`DO6p;eYEbnpurJQ-7c6ZlyI3U%UFRz>5zPyJicr<Kfm=D|NRUxrcZ(eZ(+ty;(fsy`A{aznj+2
yr?OTkMQtPH(j0SSzoVtrhDEOpX~nk^Xb0hZya_6&0ikrPmLZ7o*A~!bAN+7iiWQ|nS2@QEkT0l+4#Li|EJ)uu63rK*?)BvT?Ox-Zav8dK3u~7U@%juG
<h%ei_`o|Ms5EtH3Mod&E8ZQd1thDS@{ls<*%Q<p9E*yQIL?$tzUsn#e0_TjjD6qcZ1%zY2;r&UmNnK<%g$I2n^Jd_2DOdBNe{1C4TdlT9f16<e4<#(J
K#DZha$jg<%ALMd+IRu#>=E+uH;Gf_w7Z(Tj%`iD(mF*o|J}<||!0oOe2(1doa9552!?3eo2X<I8ugkom^Kw7Za6{oYH^@KzxU-dImu%ILtvBk%EP*ZR
=geEEwef;+t%1MMIYt~vR+j~`$~8gfLZ$FW0=S@ZGAIr^~>FE*H@KeMc8=9rZIH<OK6d1(wiM;>eNj<`1co_atRCDBOnG3h>h+k1}Q{peNxUvI{0X!+~
cuFtP<>+gl<RugL`t<BhvpUaSQVXgSrFJyxm>M@!51zEWKGEmsn38rl_o%~BJWiLL)M!)kD#1>MPZK+J?g=RW%antzSbz{nj_V+HD?h!rGQ3L+YY5T_{
T6}(Hckxei;%LX}--Ej6<{kOT!>_<0@R=+iYOV_XD~^BhzO|(tfAVs$HbBmtMRt6x-#+#ny*kX)W-g877nJSDKjpfH-vE<bYx)htnXZvJr8=aiGAKn(*
O_N5$9+)J3X!io{X9ClP5g@{3h5fad+qt07!47c8{6ak|7Z?kJ?EFV*ekB%3t8m1N(T+d(q}lsXBBJ)35z{*Yf62)tt6g)A#KM<vgar`OM7oXq1I0JIv
+mu-zz!i#yh~U)LJ1(CsLlw#g{yo13nH;GI71Sw%P23bM;0kTl-v`_nh6;<<HmeCZ5MGs-9`Pa7h*xt6u6|D&MMqYB`U~WBZk$5BB>#C8RV7-aq6l-N=
@pvk$&?_4h`#FIZUkqIb`9IFJ_Ff%v23`u9G&!H9kP*TNcGQz0D~FiK%h0+syxE9bGqZKCLylcPYhl=`9_WwYOOnX@DJ)>`TfA(VrLSd{(pqPMWq5XwR
-@y*MR{#Ca~nkOe=+J5^uF@-I^Yu|Lu(9?%sJ_7zc7)3kZuozmc$$d-tQesYq&}1Zqqekt1lrP-g|FE8+FP{Zf@>=Zag2!SVIx9nOW2;l)>-=hWC|AIS
#I=oZLir~A-D+vu@}@v@_RY?*`K^Md!5WQMm)dbq*s^^s(Tw(#O7*O9wV?F^<qzY*kAQC!*M^Cy<3o!c|Cnpr?t&Md3CMEtW~qqF)yyb@N4CJ_heuab*
!;uE)I-~DZ^tAx5{9jMx~d4Xk{=xMf+=_CvYc+6GydS<PG<Foosz9^q-=H5x+GO-f*}C(9is&w@Y|Jd)7(Mm>ynv~a<={9@#qTtIkoLjTQ8WX4En7#Wo
&cq>&zJ2MUaf*h>w-^uiMXLiph@-T{g#mft?qAVp`H#PO^d@6vK~9O**D`2D+20H$qex4Zr0C39Y{Mmfm}@aKAY0<d2Au=FM6-$-VQuCv1I#fmbprT0J
PX(V=-^xbn$2d`|8}+m0Sd4P4tE%=Ab-Lz3UP{|;c?zo{IGHxjJrH3hxQt*_er#8+tj%;sdoX0?7L2dKfKq4D_zfJu&|v)c>;>cJ1uUJS=`zi|YD>fVR
+LFSpY+p&nql7QM28OxQ|Kq@~Ty`JHHbM86FL_GbgN?#d7JM;Kd15!G7$|}Sfg!ICh)3>%ey(;*t-+6P(hSwWKI)^#UlWR${7G=~W_hI#!-i!Rj*mHLe
wCjo8mbw^6-)qS~<G<_Cu!H6Cwznx(9v>`>{a+i9eWSxzk*G?jCOkE?k1G$pYRgBCvGjJucf9(ogJ5G}LHM$pRgz?BwQhNm8J$j4XLFw7{l33RUh|mBE
%PKhY(Oja!Rx3kUwC-RUQX^$B^FQ2IAXZ%+_>U4bK!%2F2Mi#w!q-m+Wus5mWJUM4_I|WC%!=Q8~Z8uqUr1*`s`koUwJ49rm_7g$ddwT_4O|OE50@{_`
H$VuSoPzgWV_!PoN_pwOd*hsl=+hRTkV%bj(@r#ZChOQhIMy!h)MP$n=<F&eJ!%SZuC@n(*6Fz!yF{o3D-&(bVE$H3Bg>`_OF*Cyo-4^?I9LbA;wQ&mt
cc+d#|sL^m+cjRWp-=7U3W_}D#9bZ(Hv;mqyOn_7<$+;C{Rroz3Zu0*${mzs;SA^&F|z`YKC+nbn&oVqh+(jHM)isNCUFa9-8*Ty6FgkxVf{>YeZ*Qcf
lg4?!rO-g4EyBlDfHTYG_hrjVtlV1MRLRoS@ued`~3DG!&OP@cW|5-iUCZNXHuKjmUzv%|V8nMVox{i21&^oZrCePlndz&p4TC|=CR9~)q`j8<pV_U0j
X6m2^QTbD&>WZY1mS%M+tAn<UWvoY)=TgBmtd6FA#fcFzN;Rogu^!8-FvX9|u5rkWj9Z7MDLr-urb&<aNz{-N(ribeES?ItHtNo|dr`qj7BCyBb?~sp#
ZzYiKVKRcfW}bjZH~j4r*d)|UC;`$qg`)X#-)y{37Nen?NfEhrUT%O$zp|-TpdvV3<#Q2uyGox^g+E$icKHI=)BpGzS$iPM)#M^k<+!_Mkr8hSou=N5$
jupl~UKUN!FMUIyCkjNCvBVO!u-T8TZO0IJMGuHCqZ<0`(j`L~|N4BW9~LotGtP&=*lXv*Z47+H97N$`H{+)U4rsXR_fj_028&{=luyghO(#jJS@Mcr#
&|>YGn)zzKDE<DpfY(y6qDCIn?1uFBgR3K&-G-9Q0k>Lz=<sAxeo?w63<;;Q<Dpr)O$BpXwqOgObE^JZ<L(@``vOx6Kn>uLh?Tf<tbz6%4WsTuN|nEQO
Uq*}Pfr|#TOjnaxyU%!wCQ&|q`KjL(H<t&6+degRZk-4F5P#JWQyt^S1aJXRAJL>6rKRO<c#}3so0o)B1^(7$x*gB#CzWIa`gIwW7iMGT#QJD*>K7-~!
UxtJ5q2c^}%RnOV({~Bpu>+1EppT!VoLV&YLe%z*PI;G`bA_4+W>5$AacWnYEz7J`A9eALo|yqrUxa~eeL<YMmw}du3^aB!$zzKZ8CGNamS#`1-4z@FO
GMkKyJ8D)1tKjPdQe@L_nxyrT*3z;xCN^oi$^(rcUt6oV>Q{NrcGvhMfF637BSTsGG_0#s)F1^vur1-1;YhQ)3E32rk2X?#n=j`utn$Ewix8m@i;Nzr|
!*xa@w`b1S$oG?DrGBMN1XwyQFNKA9JQ=PnEioKXJ?Dw$>zbQEw$pGO6t&s9~vJh#s<fV_HLVngu(K7h>Qo3$ZS8#O5VXZlA!7ua7s(PHjP_nFR-lh9U
Ols%~Ga&)|B#Elw@bXyCw1D?&}afR6MHOXQj!GaNc7Gmvfo$JJ3ohgE@MjMqfXlxE!5r)T2b7fYs*A<zLpM?Y5}nJa#71n%ess+6<%&HAWk#;)v6=;I!
Ftca{;VwaE|$Em)ncE=Cuxcd0fc(r0?Z4*-=OzC@ZYfuAIbLG-Sw8;PCXR8lC{osM=l^#-f{XQ)n?y8@yS&nbk|L)oI6=3{hSpgJ9k&p=p0uvPmCNK=E
6957s1pojDk|Y3DBuR!K_+*C}*629BAPF*y7<f_Q0iZ`^iZFDlTr)0|!A(;Jscdi=ffOpGVun|Yg2n<5YqT|)n#AIjT=L2G%g$JAvkio+-Cp%6ZB_X&L
#NqE)IWOl<3|YKW8c}-QmyZ*tuuPXm+~ug*3)@9s_g^Y4%}cXgj_XEo6}bB0)7N44Ro<lLm)93BhC>PSuf95<_892aHMvS{dKG|*PX1W1$XyE6wVo&*|
*ARNBHXujc@Y)ly7L6oc*@BPHLXOkD_jik&ZKYKjKc?M@knD8ks`%ZRnE{w_jNF1)G`5QbVA1dX2H6<-Z`SMnJV`F1z@7>9HvWMd}0E`}VAUL8@4Ezci
4;Sa-Um)mWH?rG+bzrKlW-TcW@9ncA_Bh?)F2zFq`&N(k~>CT?U{Ju;v9C11CIzBc9|Q6fMGvKIpl`f|S^xED^C(lFgLsb$qunn&2$CjGdG``LTu8GTd
Fw-PvK4{`t09b%&nfY|nJ9aIE*+IZ`L@t%pg%!YmH654I2h%wR;ku`4rnr=3Mcn=8SNn1O6q_@mKbkp7;$1iop$7a5`h|lQ``{4?|8t;<O`hE=@8s$6I
d!W%XKuOjGaPG3IsN2&9BSpuP+3h3O-WRGNKxHo~(c+KY0dL&6PErNJx`=Bu1F4^%k~l21Vr!VO*rPdJL$(RwzLrAea;+cUcM1nNu`i7vyi43XI}JJJ!
!oLA+ze%WkhKIB;xm_z8cA#c?hc+DyM5HK{(&`pl?f^2?qG>rpX#`JA*Tk@59;Q=uVjt@m;CLO@y1J8S?aF?i3o8q%94pQX5)E9Ygyyjgz+Dgfis5S%i
6Sa)f#M$Hwmdwq>0_x^y*&rVoDTmiJewL;r*k;lS}dCzlgYN?!&mL(nF6le{jEJY9g&Kl{=#XaP*V-OYtuwZqF@u7@E!i^})#3=0EkGt$y=S?dcWn$f*
D5OSnzqjRIGkvh5lB+LfG1@~z9#si9S4Op@m&72w$Zyp(OfA~dI9C@1NTrXH7V6U3b-PC3`$R^LE@SCw<e+j&rWv`l}M)^{+`=jq*Dwm!D!*0h>UTujU
<_MMMCvI89ms2(@s>IeugI(=`1pmFc$u?5t4?mQkEZw<71<J`C^2<MZ&^IKKcvdWeT<4C`sZB*<NcDhIxdeVVch`6w)yhL=jf0DVo9eJ!Z2PB!e_WZEH
uKqSrbylZ#=9&JzVf^0DuIC({+tvT@w&zD5)%S&isXZalv<|qa3!7?wdFyoZ%uMx<e*gRb+xNfqM?d<L-}?98`~4sO@ekhoxBvck|MmBO`+G0_(YJr^h
yUi^eaFL=e{|6M<M;pcBj2|FdUVMH<O02mwCC18Kd_tJmVr)ncpkF^VsB$F)aEU0alc|SY<8xHfkjjq^wPlx;m);GL8oesN5zX^?C!(!HBt<;mkGjmQm
@>`PA4BZz-(*C<+#(ISb)bG3c^0(eem9B;jlZLh}>kv=X9jYtlS}Qjx;)YK_8bRV{ImFe!ZUDq2x|@o_iswpj*M%kr08LT0t3#s)1q^GyX64?5~os>CK
XW+t%xJu<rB)^dka(Zz+fk_C9h_s4@Xy-2_opScOzsJ?UEz0%TbPfRhDT(yU(|n?<4P*^+GL!rUWk!#j40$Aa}V=_0Fb|2_M|zhVvO{?ijj?lROxj6kC
YG#LH)xW#;KD9|_BzT-6i;F-m}aTTO&7kUQ|mMJDVyTUG=3!}~*KKW=gxe(+~`FLDAtME3LM>}MMvvmhwuNEop&rXytOVx0AAx|zty3t|(bB7BdNgqI5
oL0(ZEj|C<Q=4>QM;j;t)h?t;&=MSvFS-1`Gd{ZI&vq?Vx&_cSAXXM+bbQJ-#C)dtc!@IU)f*dz`oo%H*DKY<8QsL354}eO!>72#2P^rGzPFsUSW4-rl
d4T_zK8%Ztg&E-2GsD@;?{(DkpJ4@;_{Qi!TNMf+3n4pYY9{y3q|YeM$cPO<oI{uVZx}H-)!Wyskz0&vx76A!~u=plEcd<zu$~On*$#(e2y8GJMFDeFB
u0~dStl!IF`BKe>+`)W2+Y_oiS;>uGN}>i~Z9{CxUoUQw%*0(nu)xo0^udGaVuGKv0lKf{GZ%V8)A*045%KZco*gBsuL!7n5FSZ~Nzje>eBsaoPI2<Yy
(T%j6G(rN@Ei-aM+(=v07-8ZYTt{j4a7)U?=u@mKGzyfxwsRMtf0@-c-Td=78Nmqv<i;)wKx<Ep!>n(<zN=a8#w)>&rWdiN;F>Z@OsrqoohrpEebTZ*Y
(igNW&;%ASFM!CPXDy~Co4{ces-f*2OcG^DuZY(fa+GxQEorV8D!yd5ZHXTx<eY6;S*o@juWLT>>G}@&2g67~VuavaeYrIicTXTW;d$};y8%C$%^;)pl
(yS0tZPC8(n#Dc<u%5dIXJz|ooBm^Mcdg&r0Zin8r5$&gx)%Y}Y4mb1J3lG9_$Rm_+V^smFE2jI)au%7`Luq@(QjSck%Clq|BXIwjG5+guR#)Utau*J%
A<pbDoW#-B{K6^QBe8@%P$-G=_r(dH8K0m>7?M~`?Hc|q4KbwS;og5kEopt&{3~B!2?6>)q}-u>$=5g*0=fgjnNGTvNM`leNrEC-5J7AqMHhx4S<e(43
)Fbv#{OXJrqRCaT+qs2Q+e5cAfx>Vwb9I*g5%f4t;WV)8MiYuzjhdHD*xU=-&LUm6Ltbcl<lr<|Kj3WxP7U=!_JgbuSNW`g#q-V5<GdBle)ql}7TB70f
-;Uoe@u3III!g$6gzWM&JoV4=EwFe+awLXn~vs`E{&8Y9nge`Rv1Cn02yCo3bDoYx;$2HR8O)&dwb(XUUfY~YUY!^Rs|N}ksjGEa^xG_;^+()!bxvN?A
!UJKd#mK6cw>V>1jkbs{EPC2f1bI#bTa658;Uw8eQQC(94oko56zV)<-i{0YXo~Um^U%RQ>HyDm4O(9YnC58Y2xE(HljaRybD32NpMz#IO99pTHIG?gn
I0xv7Mc<vxrqEFR2e3A7D?869)=I4w6pKaGKDz#1LVJyJ9HOx@oH6KDeg_K=3B)so2pFgoV_kV`xr3el7T6C}+8IlV37H9cY>|Aia-PYRdQ(>Ssl$qUA
HWH2&`{;6+=91ftX~islv}Ih_5Q>scShZb?-j~3D?O5MQ`}S89E|!$D9@M&Mh%1Gss^3Q?7iPzS`+#pZyirf=ZEfv<-mb;CflDHz3bZTSyndtr?1sCby
(+1Hyo*%4W+&F&bC_?+^+WvkV&_AWgVFEDO3I;5VdFoB6-fB)dkC=w$_K(Wfp#{t48GJ(8HV^*u)$-YEb)2ri!s7iGz~1;j+cB_6|Cy8!qc)X=~a>2l9
ZO=#^6bhIJ~gao-6WYW~yqdb09(>{Ew$SF_s#>8iP;Q?nKb?07R?wdWej!QwTyX_?jc;QRRz6tC9!nH9#y{;2=uCn0g5g=RO;48b9+Ic+*}-FrN=+u!g
WT?Y&vY|W?lkI)ah&XUc@53Oi0rWXr1TaORfPy+1PG~3giYGtT`PNHSX53zu?$Cj2(04#{%BW30z+}?HAqT6;tXRmtd4(f}Fk=f6Q<dhcxb*BDE^?wrT
=Xafry6d&hvl0_P+_vp!8`zs1xx4$bVfPvF7}i}54i~b3MDR}tXKwV*$6qSIDPDa%wcHpN6NMjKu(IXQD0%TFc(&vmt#2QhouKjTW+(BND|;@lPsog79
34CrQ`X(rqKL*tCv|M4_eb}2yNkIJf964Brk|*xKtxmKj$GKp@N?sp?Mr2;93KweCGoF)3Vl_S9((<79P2|jMUKlIwXHhdCi>3A7E({32Z2ccH-C$}zL
TTub64HEXcW<}WpxCFIX>Sc)CF4Y>B;K|Gg?k3ZTH|>XWDL_9?WuqT0Jv!=tzv{LoY(bQKEMpua2=DNv|bMKe_C*KrW|C6nIawR2R=JwILzj)2}e+k>(
~>ia|P;9hMzJ8g98Mr!ZzYYuSrIu*5ju!g>10GM?{9l^|&A))DgCce69ASHskAg8QfQLVy+IMxe0Wh`J0FUH|NBw}o;a5WlYaOOovyrPa+FbCUfl)45`
M&#-7YToEjf2irm0f}Ut1;S6JIHawldFc}EhR;pw8xB-PyjdQf9)WRs%oXpIrDbk=&GJrMo6u1*G8P~;QO?cWd!gYZgwCQYjfIrU6XbOv5_qAqlGrH8a
_o8)C8Rl?eqE8C8o`Pk<C1YvDv}Gu~?ybWU@N{;8b!Dl^y5Zq{xk3S3f#*yMtAoo23ckoj?1Ws;L$>2X{H5G}w{--x+W<Gy(D*qJKo_%8Vo3F#RXs0w3
<tf+laV7o^@O?zS%$=$d-nyOet{@kt2l-~#A`21qQ)>(<O-VphzU3+?dfT6h3)JcePQR62`k=SH|9)mWQ`e@to`ZQO4HsASb#=u*gmB#)x3Ay0&S0ctP
@p0a0`oJF5f@`CTxo}RDD3s(ldETJjmGP<VXmr!^b@o<>EKa_9xm-SYa<ssQQSpo?2|Jhdo{1Rn;>j#??vVGTkm3zb5o^*+xyGR=E2y?;&n@?ckZqDdF
c1#nVnrR#k^<D}FDySN}j#+36TvYOe;ZtqWB+$&?<|c3ZB}SB3uE*kk>0GP({_q36GI(hS^+VM@H{Xx?=0?vT&*9nL{0ji?Zk3_RTI+ljBpy{a)VW;$(
Ziq$;B((aKs4(RvqD-J*dt$6>?gm3f1DVQDJJ2tj$6m)6JesId5DdQ$-e0AkRF(iE|L3CYQ8lZpgGzSmPWmlmhpe@|`I<E7)ZiaORO67&>3jyw6(wS}V
4(;xH9@i4&cgo~52wY(5Om2QZ$<`XSx00`_pN+q8!jItHV|S8SBY{Y}0YZ;0&$)a0uvlGFIow)*QX!tKF}}gQZ@3^aYkf`b8K<3fLv*-yOp|5$dg0jZa
J1y$=J6}?3A>u5d*vCM7SGovQ?&EbEq?7v84Qf|ue8YIlxf|EXLXL0$3s5wyr*5*$}-Jxa}Ra{jy?m0;AAnI+0j^XVidp10`kZ!LxzSV<&?usOw`Yjw9
f*K1w--8#1p1q=vw4b^TMhOE0rTa{B`9Uq&X4N;Wn18+p%hP&P9OM_#iXfL|*jm<vtF<4SrV8+gej&O~3eG$qsntoUk15bvg*QLu6HWe#&apbu?<jr>t
xbz_GnkzEaXb22Kau$(J<O!hty7K|klhXkx^KT{qgCsrIb1qJI=Pw_m?DJOk&oe{83LN)3M^>$ZBwJxdIyU7_29)^n*BX|z;eJ>IY;P28cnnvpZ1lM)*
DB(qLj<txJNNhVCi_>w%&`zwNL{U!D4MpbJ}inL`RWihh@`9>j3%q=<qOR*x_K?O8dPhhNmFR@^Wr0Y6S`1sY_1%B1f<$9@2b-qeA=g%tS!njmZvhS?4
Dw_91Cw#MvhOXBj{wps-x>iS+iINuejY+{Dx@&h?jBwb;&tZfs&6y-VRDC$H^|<9y>dDaGa?@Dtl5N=4(XqfL+;l3=Ur%ig0@JcH&4)kFH&GRBE`vT1e
0k0tOe+D4?!MRE*2up&BKm8<;B>nSKNv9bbUd!TSJpEN3#EJ1&a=N=N|pAWjr4Ae_4I}`D>XZ=b}U0<-B2_?50X0hvVRA8hT|@DILpTMpv6>PEY)8i<E
u*=DiyRa;$*N}PY0;|l~F#L<F<6S`q^u5+vgH5lYsg;6LbSH)4^&--#J_Kb?HcxG*eE+?EHJJ;#QUCxAL6b%oHs_z-LU_T)MNc*FD(e2RlPARJKrUTz?
@}Jp74DZwd~5N5Kys#zIRI&n}qHxlCA0zsUtwTmuWj->q4+=2`97a+*g+SI_GeR8TqH{jHW2e&ipwd*+Rm@jS@CLQKs@K=Z-f^`P%)`mHNZ<c59E+S-Z
v&`Ec<%(Blcp_aRWcTGCK%|A<uTC&et=zo9)jH}%Vaja(q{@kEZVy7^C;BWY=X28y9Zy@6-@ORfmi~C5{Ely4ik$XjB6e*}d7;H=F^&}RO$#vbWDOZWQ
+8)L)|5lbcWqUa0kaBM{FI#P{ZAjAZ2b=n0ywZZD?wWCvGTc$)z{pFi86PGipq5$lJ&dh*nuEj_j%~Kyv<!<M3%VtD*dGYyMsVk^Kl}XpzihC3Ki#?g|
NOsyUjOiu|F*gQ52HKpT;KTc`eF9w7k^d%>=)}hzx?cHAN=zdKP!Lw<=tOB`t_YhNB{XB->KYt|M8#Qf9n_QKYaS=Ki|0j&e4DQ*)Kl)=}&+4;P2o6+r
O!O@%WR!`@5fSeR=DPUp!oY^vO@}{{5eCy#M$w{x&PzOcnm=H=pkP^?N`2?D}thT>nLo#yleYnj6Y3NH11@xrh|SWbO<fvs7Yy6Wk9}3JLEVj|xz%*e6
1CV2PF+`0(R#fYDgRgRb^0PmLJRg?Ot(9}2Weik;P8$HS#>y4&9f{5pQdEkyLw_OWdOwFGRffUU>vann&jbvmjZ;BKS39CN$`pvArE<1U#t)Nh?~M?O7
v*i89B=dl7e4_%o8MU#r9KOK5+-Oe=tfY-{@y##hjY=pCP>q>@8x{>W^lWI(Wza&a-szsPP7x?I8wTQZ5=~(E3nx?mw$B)>R!Sq-6yCa}ya@|tzCLYic
%gXHB-g{tX^n-px9Wvu3v%SuxTtMr%Mk)x(CB8et49|yWYW@^kV3dg!(;id@DSfpX0VXf+97TKw;t@SPy;C15ueb|j*Y+u5K#4o-K2xcHTTJDbzEt7c#
j}9@>DyLy?8$!4s{0gupH16`_|cW=(MSDwucAh1(5U~1)W@lA0v!9f9V-Ruj#pZcrKlG$-K1(=L@}vL9gK#)4<1Z<V(5cUr~8;eZ96;q@`^Y96q_&$W~
_y^%@7u#MWU?j#P>{{9b-XjbG<yfB5s|LM?E&W2!C<}A=*!*q8lc_Go7hf$XPXTdIW3nM!>paP@ib@G_X|1c#{H%m-XnjDs}sLu&tknQ_+fX?EXki_#_
m2NR7swoA*<}P`7?3khGQ?{o+4A<_*^R(JZr;cW2fSMK;(S7EVrNrU(3=4$mmD{uKp;l)dp~Plxle+vM~Jl)4DPgLrmr`N28xe@R1KcB0WZv?jT^sZLe
4nhcUQKbI_xqW#E$<HfVc0jeJ@g-D%;FbHh(Q2DY=T!pPS#Xs~X8UIM=xK~Z0@BgBS4?mg!tvM9qOW!B|zZTvDNRI1F6MQc-E6Zeg?@gC!@6hN5y5Ru=
G!jKhqzq-oYDQ+9W^ZqAH*Vt;irBb_y^FZLi<zCBz1^AFG1ABlDT<y1Ne~`rwD+#O_gOA0?Yk`K5QwVm%<Rnn{pK^-QT5w-lgl}#-zk-wbp89&=HQt-S
9QL<8oLoxfOfbi#rj=jYV>1u#v5AAivdsOv-b3lJFKCiC6H4kD7SZX@k^Sx-wV63+(;S)i(FW$8+#d1>oI9R|D?!?)@D6A_T{+AznCpmsHA_aX+aJZ-?
ouDFI%Qvoz@>8!*viV|NBH!d8hQHT?lop?nvQDB!`M8UU)fbP-#c_T-5)LZgn#G;b{A=)i{^lE?dn;IBoP7>I|7_3@castilYgtm{9~-}c|BrW(q0`nY
)kVB5(thyMXj)K2+3;|HtNrLR_&)uE$OSIKNzs@rNeXQU3g6MH8c<lG!wp5)@3g_{ZE2oT}B)x(-NJd*6J9~l&%H&Y8HRF@))77N*6KIr=IsWi6*LJBK
-;ci^*AJ5Ev#+^(4yK>CUjpg}<bJqKWQa4rbU@UC)Zj*uW1Aa*3I9L^|mOv$dtJ5bn65bk>def?`_q*t`A$FC)8rKY(XOo`*)2k@wZ6UJ;+cUmlHn+$*
hE)W}8Y-TzO=>jtvO6DH)jGvIJojYzL|ch#opBrYpmMo`C%a0oQqsbIG1uQ&KjLkg(-h7t`b~7g3RA{!8_p-6AFAD(-ku!`Huk1*!3e&!d(@13^;$C^3
$76x5-FkOm&PeqJw4iTU$O^_4UXWswl@~(FIZ&63M)JLgt2$XNyP;)RIWv^gfl;7=EWR=-hS2azx~ITbOzT?HR`et1|7bhD%7g?l;oE(;Yw!p%fGw27s
{6r9t@W4<U3-gczn0BW_#2r5;+y_J{4(l`MZJ2A=-YdLxzGq!6)6Hx>b$i6MOg=pR=BpJw_OF)X361?R4axxn5ItG5v918w{6Gs;X&Nk^P=KrY}|_D=E
Ba&R8Cf*64i)6@Cc!s-(#!-5w1V&1JefeVe91KP#3W+AJQCE*ZAW`mE67r<{}OeNpT+OU%B7or`J!Q)D#SJ161#Y&w!HKIa=H4y2uebk;xVf9BNg!-lT
27p&*F71^&p#=J%|?Pfix5&OeJ{-s@1Sn2u`^r;<X*unMTZEPNXhzP=ekQImf<f;!I*+^d_TsPGtEsfgZ(?&&>cBq!*N%++<{{>Qd@L8gzUU3NiexpVO
^eY}s$r2<KmKn^RY1cme$mKI<>9frvd&X5$Vl~p<yTnT;W!sI<Zc07+EDmtI$19@;_kVrZh7~QN8ux)@^X-ZqdDWT=RXd~Gt$S2M=^)p28%|8`e#BKKn
1&zgDDLYs(4rnsaJ|X=yAqnJne2wn;&kWZ7<B%6IcqSntnCp`#Cw`Dk?{yl1!JObb`DPdTZtMP)-1R6%qj5$yvuDX*|dT_BQ}kN*pYY?#0~<g3dfP8{@
RtCk)}Enua%9|;(kaf?><-(BiiPuRw4}LE1M1dorZQ<mf!Ea86Z9i3{CEzGW+U9pL<28$9W31Ga=Oid*hOo%aVAAZjZ0My1CsTrpoV0#z)EWXeMkgD%c
tyy;O;6?A-u4?C$6+iusLS6faaqV)SQ~_Rxo73I3;9PQ@-*I$B!Ud7V<$bv)@KxA0zMgK1xhFW##L7fMBCllpKnai?OY_N%c`N2=fpUaSnW&noPW7R)O
0V}>AdUh)z(baT;=P(DjdHiBz59^MRr`1Y2k5K9!W=;7F2U}JcRHLv!*(r#tB=Kk&vEVD;bq>UASG)xADmtAaw{N@69RC5~Wf`K5%I|t{PwY7=+3`bzO
;+EJ)WyC5SZPr-JoKgs5@Zof;A0YOBx1z+(k}=`QgNLWOQGI|j9yfdH<Qk^}M0Hm^sVf{E>4lg7RtmQEXr)sxM$1ZZS|3`)R5)h$4Y$LMC*of2d19|e)
-b~HeDczJkD6^wp|R#9V?D>%C~{iL6N@7-a*5M4Og9$=&T(kx$J>^<k-OrlUA?tdG-ZaVtr6-JTR&QL`c52NT>wL)c;k;1HInps*d#lBbjPZIAam~czC
F0epGcpb;w?YBj7*S>j}>XLP;+>j0ydSn^l^DCXdxfG^7D*_)8!u<R-@1{Nml!%-S^g)yRT$Zg^LfB0{y94FxUG-hH}+?-2H$y=I^ifdi_n6ja9m~HuQ
xK>b$P)>UI|J7fwRnLnp8Jb*Lmbe%>|d96vwF9`rl?+l~8-CHJhTA4=zis`a>Z3<}zX_>!g#7xk(o#iZ|_X*3x-#ye}ZhL!3lcc&?s{uE~X`4L?+c^!X
vMxA0zsc#m)t5mRtRMvkepKni-CeE=VF_V`4KHYBcF{sWMH#N|tvCO!f&7?!32%FPCZ&&y3wr$p-;exO%@@HS|WX__gjmBPA!jsAuy2J6SsUdf*Q#6cp
>+02Z$x3?N9|uk=rtEsno$GT)YE50(*JRXU?6Z+~?QN5=sxoNC+tnky@j>SSs&&V@P}S<G4}VrXUzb>qwzMF5gnIN*@C@$gD`8WZ?C~pCMT|MpHn_A-t
<p)vs5u&cQ@L}?k9giiIXhjFpR*c$R;#wLAqlO}6t-m1DVD28m03gOG~F}mi@4wxsReSp|4f>#>PH%2MNH?7-H61J>FC!}qJ*n;shqool-W*lW$l*_-e
=rsIFwk{Jo&<hi<as=>(KngLtnM0(uliW6MNCn=5^{lk<6uq1!ai&tDFvh{T<fVG0s)%0oXb&Zt=c$b+clBdvwZp(<XM0s!r9urBKs{I^2Hv;tOWi0>R
q!V!~m1_+@{~Yj?C21s?)A+YsT64!iAGhY3yLz0l>;!WWt!ToToxvNd0K`z7;^BDQr;Xdwy%_#zOZTKCsGeHAm+(e929w>#fRfj&-DwZrEs_G`mJJCVO
&7e-zTNGzAr>rHB#+SiE(NM^6x(^t>GGj4L)m94!>J(I_2Pkl%79ioY8a4XmKrp>YAK32v+?pnuqY}NMunk#=SR>Pk<Z@+}AP0bxKc6<)3=Q~o1Dn8;X
<%c;FI_%7mlMQOZ*V_B=u|_|}H6Bt{=7A$)I{dcLVf-lVVkR(SF}kgf$7oJG2_<*+rVD*zpVtUA#cp1I6qe<4yG}?oRVaX4-IbH7RY|LizLsxa(QA`ua
?bR$Y1%<JN`YCPJCoCM6Ce8TJ{Fkw&RiPdHO0TP9~zTvC}dX1efMxutxiyzlqs}g-n%+?z!zGx@m|Qgb7cwR52~YUbk>wCYF`$N{c&_{{1ZWQT-nc0u?
sqG0``=8PuErMoumxQCCQ@0e3TvKE}mH$KAJMUt}rr-@galbCN}FknF14ry6Q?nv8MCS*6syS{}&CUJhjnp+*?#Ncfu5yX8S#dx_o%O47XN<{bSvbJ$7
?u^nc9p!P#xi(Mrk)Ox_EPU(|ovKTLdOQ>}=m#M`>iOxt&Aoqu+OMt#z!Upo*DI^2S5b~|h1*RH{QwEe+X-%%p3GsTMpEsi#Phsl)ItPbh%wZKcd{bbj
@rGK^0cW3-N^o?@Dm3?GC-4fBcVaXx2;0}z10&bH=d0VK``Qo(FPTw54s1*I<02G%@U}H93t)<Gwi^byyt;b_;VkeUBIceQtOviKPW2&V4QcOR8MVt1X
t2Zl+DN)?CKi)`Fu5Dw7SS6d)yuGZkV${cbbm!SWJXftq@h(3X>>TaDp;u1bI3!Z8ua-WSfZE{0mpn1Yx>K>QJj&UT`d-mSg?kZgaYWVCs+J>9mfm--l
<02$CzyeIT|xAfYTdyzHEAp7UX?00HYV%2tC`{Cx4Pl5>+6>%jy0XblH%fbVlS+6%^UjTx#7${8G~Tzc1gMNU{@LGP`j<BttCx0u+0p49Nk!d#J{|XYO
YiX>zUIO`F>jcM04}#5bTob7n4F0IVqo_uh3KE+sv_}F`f9z)%`;(rz|>s3y<E@e?Sk{C-zOb_n$w0=$*f<&_-BE5<mSHU_DD1{eqHNho&{(unE^1zD`
9)J$e{CnF&1xVDh9kR9Ag)DSmEEG*sedr73o4t%vtiy4a{2%=Hyo?#^VV%pEMX<G1Q;)5kzd{#;kTy|x?q<f}g#)0P5J{j)T2D(C*4SAXyOfB4$J|JUF
9^Y4G}n_vCXcYo`<uYUfk-~Y3J^X>0{=e6(r@Y~;wg<}2y{?nXg<qKVK-cmCgPtO0y+@5fH|L^Q^+hg>;z;<`2*iTZ(T(;E6(^bO(qd+Rk*jIZEpQ$p;
lf0x+GL*l(7&7}^_s5-h_k=K2a7^gFJA$hX%1UExcty+E-I^#c&}M^DBy!{FcPhOqd#bCkJS&!WsPNAUoS`b)$mi3_Ls8H6)DA}H^4-!_hH|~mwi~+*i
&N*&mwRrjsIgX0lFdL^d9>BFD5)z&OO@5^9N|(iu-(U7?T%IF(@bXo8yrvd>*P>GBk<fzGxlEQFx?;7?;_P`N6nP7Qu7&kI!a9o?ky{ty!t3@$z^uRMV
n3w#Rb<F8cTLYyFYz$y2V`jU>Mfk)nj%N^Kx}BmAGwWES@`f%jO6aoBHl+;u}-Mn%M5|6kkvb32m<NJF!mQxZIGM!?2ubSb7;Hy`Fz82}8akt{pa(!!J
3eI8}Y&UxG}rTo@%&qpA-Q>oBh$KK3`AT}|XX?o%`6v3HG)z){vIx@_m($aIZ66Vi#fp?_f9bg5$|>e$cZ%rNGrB`I5fc6_++jCZH&mbg{I?scAYo1V4
vqh-BC;qO+G?@G0|S{xbG#;M^;pL}r!POj17)ZKEE(d!%nZ(+^ms{r3pk7!i;WW~OfUUmx7!xx?_sBN_y*!BvrzyI)fb!T|^cx5)yzOH=T({HGw?#qCP
23@uMgHP?72Q*3!Sx&mzGkY)E3w2seDXF;=ZFH1ZwBw}i;~j0OY}>XJj)&TxpL28++n;{P#7T=5Owpg+P-OPBqmk1;zpti|hRz0!N=)@Q;GtY8t)-GY)
E_kn_h<mq9fsw(i-&pZ2k@M=p*u&<gj7oaJvqX+H!-m)nRivOP~6mg57qEt(si!P>$GmLk9bG#Nqz6hQlw-s8R10oA<dyNMZ?%`IL@j7+x*PcEYsfm6X
SUk87<Fd9%oteLK5_}NB_MPbm?WwAmQdQ&+S$#dp6oWuGc5%sGDQvm17q=Bxw6q3ps2m-&J{)FFshq+|kiDqPK1l+P=E^&uY8n>YgogCrqkFx3`)W0=l
cf(zsx4LglI9_}crvT&CXX`$=(%s_VD033%Up)?95|w<OrzLh+$TKj$MS<8dNHI+l~Zj!QBm;_anSc7H;X67KvhW;1yzVUBavBHqL{yEo(P)|%xh?6gL
uzTGT6IM>MEsGX)$=3g*&{XL-^<eYe-bImc`R_d2L+vz9QbcttkpXLt6LV}Rft1lkEab|||A4?CX!xq3avZFU~p*(z@D{@ZSpl|zbm3yi&<Hy>OT{#qw
bu2rrQsKI+U8_!EEx~plH<fbI9Uw3vSEUiyH$vqo;TQQKsYXT5^qK{)hTD|l{rYhQS@}vOG4?Ts_`r3h1wu8wy)^uQE?YdF$JFqSI%?xO8BdgrjSv)=f
r_oZS9x?d`s-s|macL`4yL6-P2Z}bz+f@W7GV(-cz3*$9xEv(?@{=Xi!0`G2kInb$&$8MPI~PAW@gb%M_j~QP>mn0_J`VLja*N#EDA07Y<jC;@#s30XL
N@nnr&J~k(Hdo(~XYLjKd;P>FwXRqRfH=n-6U?HJ@%Sk0M6rZNklB^942*+FI?#{LanW59gxU(|Hq7Ybc`hCh>@yrCo~^helIk6>dRmO^v6@rsGhKD=N
LU<HjSw+tWT<j_K%pPiF%v$7iGMio4)a5Czs>tlg=Apl`<3qdcWvJ?f78uRQ73dkuySxR-^vEf_jYt_aBuN3p9mX=(+1ZDqU^G6_bSX+>3jvbA*57-RI
$1FYuBS;}s6Z@>LYeg)-&?;mud+w8RO6uc)CQVM~ocRE_=-8ghIQJcnHQ7VmMJk*RZrE%dRA7yO)G5b1h6DpOjucUX&7Oc?HlqJ$-UyHQ;R-0(&{3fF5
$t@Gl=J4aJ4`khizN4?NAGZbl7x<_?H#3&q8?B$Pi?vO9G*4vbla!RjQ>lB3eHNe7+or-&MfhBoI1rU#c7xDQ@6j#NGM3VEn*j~<_PhPd&d%2Di_LMns
DklbveQxZY(wi5GYP`2uw_=O?Be#l>V*uReLD(j%5q1q(?t0YxL`0InOJ2{A?Xvv*7Zg+kqSxKnmV7>DV|CA`7ymc>kza}r)b{Gs%C1+mGpwx!rS>xwa
}oS6FnZAwqwbZPV5T@y1KW}YIuTs?i0yF`7x8?N8^QxXhO%jh!$)GYoe+dw4JPs7KVlFf!y$z%izY^ojht9@-v!>vom%wneh$hPPCO0?6;M7O~cF|s!g
n->FO|iNoo$2?~vgF3T~?VcShI~*J*(78V$APK`A~pSDt8*<>5Lt+|o%>I&BkD;x}1^Swb!6LHE!biTgWxx?A_fQdABvHOwHZ|4zQq>n56564WEq&a5M
?8%v!#RZI(jS6TXNHJ#%v+jG;c>=WBPy((|7>rSd>=eF+5agaAQ7|yauR22=CAJgej+R&kSyWsJ(v;=Dv#HIm)q@`bOr}7|FNE*tW9;xU$QxjF4%VQsg
u)-Mil9^^Aed~duV;|R~2+pI^WX<rfAhG*Jtiy6ronkyv*bp!nI6hf2`B}fN3tCIbw9!RcX@{k+aMU~RtIG&i!d*3h7#{Cv3~FCH<jJ+G{v!0Za0MS7(
w7Q44^6f@Wkq(|JVL7ua3@RFi|5K9rNUV=svHb^ct(>~t1#SDyW9xa^DU*PM5`D;>q32;QWQ&A#h?Rl%iKZY4A2WgUxh_{pdys6X>v5}V<Fqea>tNw>X
be?Bfa<#*CuHc$*8c3%9fzK`I^;9&=uUm=mb!vm5pXz&11e1huespX>D6-f_9<N5@s-qSTZUqIycJFUV}!flV}yks!LLWqu7*ICmKjFKHQ8bEvVgKtOo
H80v0QY3C3g*v~q_`gh5j_l%W*$xX=$az}XB)gjxby<tAveLsd7myHwRHX-lH2S5O2gbuq2#RkQ_P7PC?ch0SG-TGi!FBNGwDP9#J`_B462VFZbsUZC1
a3B$M<yB+T-N~mqOhq^7H&oy!s4=^{~PE_!5wRzU0-LDL{gldE66{1+8ND{hUt85oa=gFQ26&(OC`m2)EeE{r?S<^Fm@o`4cKB%G@N!=IR&1g~t4U<A&
Z0Bl(m^bX(KAGkT7p7GioQ+ANQ)<_U_@*Y}>yzzq;L2*MHnvBppR`<khQt#BPDy<&ooP2_6sm%)rpeTF=BjO+L{(duf#uw)0;`%JTOY<62HvSUa!BSnt
JE4D24`=BbE&#Xp-6=^m>D!0dJHen+A1dP8uh$!Xy0XJ9dSz=xApW=x;9@&{T|b61hY}(3^%1T-Yzl+Z7ao@HN!m>R0Kr*sK;a|GP>#(#>Cl!rb7X;wF
=(V>MK&yS)RZwJ7P=U(HA`wWvw*L?lPG`dSKF2cvc`-&NkLEz#^$r8q%R2hOZ8>n1$;otjSuSp22igF0hs{%_!RXhNmcmYLwIy>YS#@U@aeEVO$PoBB$
X|iA)>JeE|1D(OF5l9}$EaXiK}UJS7_Y1*|?wC|zPVZ?N^oIrn@Cvo#1YE4K0_-k@VFRE-4%P*EB)tg-RMwaU!RzZxar&hqjN&aiWZ8$bW2;}_lw?+`!
w;K7@SfFdr52+993AW9g(AOaBKPyrPfhC5h<u?nRg5?CKsbSSL?gCwANTwo=P;{}EvYS(Yh6yLAaeYMMTog-mmVVlxjVA*Y3rTxI4zoK{BN+-n?Jlj?u
`G1a2Y1d!3$7Xk954xj#|7+`c=Nk^IhQy=KQh(9Zxa=kM_LefUv%B;u*{0sTquiLBLqiWIbfn*j@j`w1mEX$J9XmUH-4nW5^6baQ{&PWiO{$e%^33zLB
$nG+{h_nJhq|X+O*(9P{;kOaRp<lt>z0G^{jHNoFu0`M`h!kmH~|%EgI7x`{JCPE{^JMQiEvB#ACg-0WZgBVWUSi`SCBMavIE_{?DF)9onO#8E`2TjNA
(Z3@muQ^Q)@Y;J22RWMXu6xg~!%DsoW<I$L{4H=0h!LnC`s1=J*@dkw400+ltQYn@VL?&sWvgD$H!aPR{#XBX_1=Jn|n!cTE(fP~|71U$dVY<!|X<d?D
V~OoIN<xK=Prgf)Noe0AilyXxId9fyC#@&Z&g7rFKZfc*b(FW!Cbz+Yfb*j`BN$7O*G<2gU-j&C!csa_{E;PO}O>&4uS|2%Q;o?0(v<3zcFPMZDb{ueG
**<n?Q5+8*oO$m!ay#)7JL5i8S`-SXmWt<uRf7P{x32oS_HX1dqt!ne!Om0^&eP+|+X}dL)EGDjI?2KalpG-!x=HdISFSOLaddZF9gu#9A_p^T!o@xD8
=2PsGo;UohPYU0kq|YtuRMr*ap7{$=n3?V-vnbEaA8wi7i%)gVwr00|NmZ-=D_|%Z+YtYHZP#uuZ0KeDJdTmn>D$MOC*yZ#Hq%|FJy5=@JQ_beS+Kj$H
q4lJsJ8w6{z$<-M}=Rxh{J8|!qr8G_$ei(f~Mn>8}uZ(n=-216KdK*H$7xo`&Y%bwUjC*HpK0(f|vET$BP8{Uh5b$T}UpLvNcEXnWITn^G^Tstw)b?{g
#wCh1;d|aS00!CC^e+$-aKZFdO6UG`9N|-zIQ|LBg_s5llKU^Yh9m_r9igaqS-zOP5<7>RD^E^V%NNTj#&bnLnk?W9q<jS;ytJK(~98n_HW-8t(Ipis3
DF+_+3{x0-3)6ZqNq(Rz&E_^@(R{_*DS5c5+Lo?y<rneMA~Mm|wFjkkGX=8Ze8n0JrWp7d-TQ~4cw#57?|?uPHV4%C%H&42PLd+w-*uKIKp|6g`|m+kF
Zcer@GWLVV>-~QzPnIb1nsCPsColmcOa=CN!EpDxVtA<jwt5F4HJAPfC2t4DP4m!V>=25|`XhCCXi2kpW9wlFWr!ENHw|*<^WCVXWKa~?#x}`T?YafM^
WB3mrWVe?7_wT)>dGfK+tbgUGc?n$pxBu!-{>``l<hB3l&wu!XAH4YQUi;ne{@ZW=*|~r7%<sSUuYd5BKl|Pf{@}rO#<{HjdE)RBMefyQzW%S?xBUpZc
T{J(zqJP@-mi)FmGySt5Pt69(|q}>VXV?<KA*Dq2&RA1v|KZsC8y3b&nI2Hp;k~mwCQ!Z-t_ctOzbpwPuJ>Qkx>AM0}R6u0)r2pK_mi6ka!VE00Jb45|
99ffczr>P^L>LAq+w!{}K}9Q>0AJoL8liuXt(2)oh^^`*enwvNF1?d9H4{WfJnJACc7V>#H?JCF!H4e!K3c+gl;eI*=wD*daYUO<_;krz;hvgX01Fsm#
PrOaW5FDq*p4`kr2pZ;haQQ~CCi{0boi00Bu37h;mU?G55vmr^ljwz-smTg?7n=sG&LUq5C>Rx(RLPJ)soFHVMUNs{3k$QP5}L@>C72!SMDgplyThwJ1
d$SZ?_d@>l^NnWqKse0b0Q4`+Qv2xyGWOf4`B-oDXp12bIl5}mSG}Y_+)@z&JN&v58o)hZt9+Zh(oAm9)M%Ma7nwUGC1|KFWk&)G+s3<e?kj)rsfuH)%
qH`YoP`ii8LEs|9fE)mnV}(GFBONSKzPr5ALCSHNbL33RfnuCYLP+8zc?I%G2uG-*ow*(H^v*$gl1X;c#h)<++V<8^EOcShy_CnvQ2rrNUp!4D7Ww((l
3426<LVpAJ_XB%)`b1ld)J(210^Y0W{eZQpBOeKchuF$LQdze*2<Z0_2Ml}_eSn>4^^)sb3}7Xm!7Yp?eN{ZS0C%D)fdx-#g7z2`VmskhFH<Ky-HjwwE
Y_q=KW`Hv5)K>%0SJi(xJO^r1s!CCl-2t<b$k@)xPaP4y@7*?lqK`63Ij7{6?+YHrdWA8#a+0Qbu}McxwaJoVi7Ju4EqZ6m4SlICPEVQ{YT)!O)XFJ+1
gLTL|)<ZWRaOpeF`p!v^WYkX%S4A$gZ5r%b}-_8la5(BnYnZYT_TNs!NcT4o7O5T0H`xnZ3?{DLk}J-|X|5FauNWxCKhC{g`s!=u9pSAz2>ocJeQ_KQx
d#0Q%eA(%cYo;b|odK~vL;t5~;ojOI7_C2=fno3_I{oAI#vRl9%Pb&!q<0TE+SS}jCa1jjNMM19npviDBIP~<G9K5_kl!F|c3z4J`=KWblV!!juQS#xb
y!D7b2~8(lIrBl_#75vow0~;Zp@}>{nObliR;runA%z3a0*$`eq$RB_2{9-Fx!vUfkT>NZaJl2<%*e~f;cpH!?N`<N$;*uhYdYTI)H`DA5Ob)NR>w|%`
eZN@;s6xTpch49kYyx^yc|0|7$VCHjz&c^Rsu9zGa!4|86cF^yXcv>(PyfbtHaekNZ2mYTZ=6$CiRl#5#@wnGY^xB$4sI(9yBQ)UBTb)U-&a^4ke8B^S
PNSPHQ9+qbk_<zL)v&^ACa^RboqHK58h{21Ra6W%5SHP$NCNZEYM7ShV%1Gvr45kIEuA5FGZH@C$bTiuTosXd1N^r*`a$!OV+55agB0JwnJ!K!A|*Am?
2Y<()^L$M>{~QLSH*NLh^CI)!4<M=|$Qp-E019B6MfRKqqy(l$~ssA=rm8#Eszj_Qh6Dm^~yNo`w#nuwp|di?Oiu=y<AveO?~HI{O7G5L$HH+#eOTorq
Yn}alqa=ryg#u~(PasdWC07Q9&<sn7`P?OsL6Mqw!00uu35aTgIhT1_h%e^aiF^)k&2JENMCCgE{eOqTd?rKA~<IwKIR?HkA>%{Esbt|BUG(LFj^6)L6
nQgI}O(ME5jl9a;bH(snsW(z*{tKWpzT*q^yp~UYA@h<GdnXl+5*nU~h#!O$_lx|3H$L|!P(b}}Kd{NudZt)v)%Nmq*Iq%L5xdJlI-Z=3bGDF@zu75HM
?#0kv+YIExngXE&+aPwLZ5D{AB=O;$<Fu_+<ekF%?wY)em#?zSI%U#hs_m78+AkM5COt#mJ1ZNazWNJk5zo?qIaykJ)u~?C!48?JkNy8Oiw3R0eMU&C&
0^j15XJ_M7`0Se)!e_GF)33BK4G&ljduWObc|}Ogzu<bIqS!-c<U;gM8zf(guglXS*uNU42MeQhB=&V$Ze*xIg%`^#F2z!!rm8PX}Z`2LN4pxtx8II)l
`Pt?`X0XJjwmZt5PHO7`a{LvY2^zPdGaaMU55hp(1Yhx<pSom3^DDoJ_mWS=}oy{ZpLcRnFEqGvjTr~c2z&37ufG2LS=?7L1HSH~@3d*)0-pVdq^$iqv
O&KALEb+6=`Vu`q9%!D@^16~48|H<)51HOXj=_kdXB89wr*~HujbNiRB=v*&0$qS}mykr`;rL2dycKck@TT<XBV14PQy(t&nu7WXlSuzz=I6?cA#D}lM
0x?0OK5g+c^8JUhJA1kzOLsxb(g@|dGlY6;m7}+ZR>#a<s;+tdJWDBw-C{=Xfh*=<S}zmYyB1xVk$v7TE_)5N(lq0l>Njk?U}xxYcBuU$tKf>9cVB<~-
D<GMN3_M9CT#R+lY1tVOLU;CgwFU*jj`Use-Dq(f7O>jeUAz?bWZCt@nE^=-}uyC+O<9bviFh(`16#v<&ltKjF7>MkhyW7QA%?=$}4qG_j4{y?f8EV?U
c^rX1s4u-8sPz)cRVg(7R8uR^Dg*;yYdGMJw2$L!_@J9=i2qrr#c!vqG=6xV+RE`&wc9KuY^7J=}%oZrm)VyF+Kxls@MuddGE0U(xfcYwV55{?)ieWLg
i2s)@;=^sFs<LTTuU;QgphyPxtD@=|Rl{8rF{8MFMXIZ%7hEq-)K)X!g=Nrzz@&2v|xRRxJvJ~XjQ8KNd&az$k@mdhzGZP4X1X${&@uJvHWSYX$)aXja
psM}VDI#-+44jK=r^!Ye7Qr~uN*7Z7_N-<hm477dIhi{4*`^ihNIj;RyR?32YJy!VSO)np3Z7O4Qq&3fc&2#>amkua!|3~n#=KOB?K;z!frWBO%!184W
0+x@8o^Ri&fUSkytZVz+h%dp;&6wPMENRF5jJo(}yAx6GdOAs?u_Ey`AW{}_z+AGn8W0K^KrI-c691b)lBYDK>8Vsa$#fZoP9yatwxto|4YRIWcMyoti
WuI_kpZly#5t_Vmo>nlMk0lg1O_`g5k`mUe<&Dq6H;Zmx=kHjS^w@w?NL{xVD2g<rS8D-RLIH7P#h>kG)N)_NF)rrIuxIh=u;I128V(8bdP*w;O5alM~
WE`QaUK3vnvI3y1DYkd%b&{rFboyD0wvM$G!>0cbi8j+W;=H(Z=0VP&a$)B)-L6q?fAIy3Xf%%GU!SJOGTrrLn<nWq_Ay27h{gOvW!l2JXSY4&p$+VN>
u_)uC^&N@@)2@Aw5kZ7uG%cWTP-cvU^smPS=NxOtt!2w7>%&_58oa>w%n7?31}m*I~XXq>?f;8QA><QHxr)q%{;@{61TOhN<xc>2%+!*MwdhzW4;1Vf%
8`ArTwIh3ffm->C~cMJyem_4~p31OQ=DKzbkjb72z2uL3lE+iX^<MS;aTeIs`0Tc1jlc*hjqkAP=j6)Xl7t2c__1d}DBc8rR+-`bYR;_Wf{A}`6>mB`$
EPZ62l_kiaMS#f3QA%<Mk~k1;@`9GURg1lFLx_}*R}M}byIKl&OIG(#vAoefeJ+=u@qXB@?bdfM>aSCsNzK?v!n~mAlh+#eT9e$ywd9QZn=CP!H_(>K$
fod4r+zVI!l#YSHec)K)6F&*h@AglFiV4NoIuz>_{)eQR|88KV&hG_Lj6SB$YyRFH&^#5vtOt7*QR=`;qXSd+H>$jt=Ep)fk<xmRiJu*%fq3t{o{5$3f
<kaW?^@$t}-LjAK{O{TTIHRKi^e+F>}nlIK3X&tb?<sN{&g}`*=TrEpI+FgELC+odD_>*Wyc`XovWhe95}b9*bHyC4zn2syy1zcvP*tqj~sBB1@kPM_$
p@qMNm>yB;IY-yVUT&ELxE%+99!v?G15pBGDKGfzf`X^lNL8RGt89p!H2d-JwNC)Q1}swtf?0eJ-FNq9O4+`u!)N@(!qBGQ0Y<SO8NFh1KZD~J{2vnqo
+QB^h1(H-2B?EkaYH4@18yBhscmxW=ihd(+2kGoYcBFRh~=@Hdox1rw9R&LkHTgQ-8`S&{D<<(Z$30FlQWh#H=^r`vXP);jo`^zJ`Z=F&1@&(O(-_}>A
gL}t{dU!LwcTt`JG%z{?=_|*D4_a34W?`UjWFV16{nNgY1Yw}x<VGF{eHs6y!5qnIO4hUTLIx!H)Dg=1bYM(nu_gZI0Gi;9G<|!lffkSPa<<X|I%5~(w
1MVV5OuwM{;hEz#h+;;O^nIiYOlMc%I4dron;?!-mlFsz8Tw*uRCazLHo*Cd@96b!}wI6$ubSX$xQ8j)=4b|3>%Bg^F*bg^D*7<`l?4surA~+W9LXrZ5
eL0OOjDl08(bv5CYew!2P;eZI|Uud~|f=IkksTl(bpO`~=H4%DC3h4OmzI+vVWNy&0MD2bp-9CkYAoQv{JkBtTD-g@62G2EF}vA7cLi*zFJgzR#@O`q`
tO|Mj~ofcuxXJ`%yFcf?ipoqzh-Kl}~*=Ehq*$Nb~U&YRuG|7Z8D`{LcdO?)K%<y$9j{&MF{@bSUU+Wr3vZT)KZy=Az(^?&f<M_Zz_CiS`Fzw5yN^2?9
FFMjlo>AQEg_=k7?<pY*SZ+|Sk^G|Q|?VNx)hr2+H@r9|Z2$c@&Or-8gAc0G5Kx{{kC8UNAFCQS&m|BKDp2T$f$Fz9*Du`ja9!Rl4mxwqd&XjtONI;hI
y=BbE+yIDmVbb3L$on+{JSsIIEw9;u*`))kz92V7b`zMTGpN?brC2;B4>s(vU5GaOq}q6YmcwK+*~c)o8pd$#gwIzbj+(NLB!IdXt7I_P452Y}vH;9u1
v}bsW1WnKe$R|usaiI>QkU&RKm-8_559?qenuQ_YoX>yYn{h=d{=WXB$vYk<U2GlT7`)#q6YQ>G%*bv$84Q#`k>ttfz?!jK$C_en5krA&5~?!Fa<U{3f
2hFf(8=9DSigL?^r^-uPO!H$VPsQna(ESNr@me2xaU5DrJ*}=N;lcr3ck5{Bs>w8gpcic^SW3KLzTdme{t+eL;-Ddl<UMI1p0w`+w?8<?lm4tITqjF2F
3(by%|ndSXxH5qT7)u=*b!BO^i-25SiGnh71NhiWWm(a!=-?5YAlg^gpt6+zOZoanvLUm=}<L7gV+6z0d#kh<5F@iUf$P<0#WBpggwKa__U4)vxnq^O!
1wMu8eFfG%^LC^%(@M`s)>?+YDq8NdlyXiho_5?U1f;XB<B^t^)`+t452Zv*4?P(HAdQUnv#E}ZQejEg0S%j-F0d&t2@HDcRd_T2d>P^-vbDQ-EgdG;b
764DWl2k;nfRZ@&z>c5wbo0j&z`Z_zl1^|H#z(%R?t+Q%s*DLxXW^r$0L?o<8S~cRhi$z$|KZD$@yM$y)G%cagIXl2KSs!!K+q*m-^OVx(pU=6fQwk2o
rHP?Uy~WXszf~-k3%~EYo#AT3WEF-8Kksipu9UO9s-!$T!I*70$E6UPLXL~(%zP>M(3Q}b@#WkATEG!VnPlbHFR``qQHfu7<a8ey6_3_g#BU&!ejw}dj
nYfNJ1^g8GtG$*#}>%00$8<$%x6$0h%?zP89;vxEgFipxAREyzEe>j#@gOjHYxB!?KT|3U~Gi!wp~ywIGBV!z^l4O~5ANY@4JpZa&!2QA*%<u}HIx>a_
m@HI!5_fC4>;g-J|0+6GWDtUzNftxQ&BkQ7}ec{+0Ypg(Lx_qqsK3TB{$p!iD%f@RjDE;)2Xgj5f7GDem`8!L1|7zG=(stjIv=I_mms4urSB#!AGydrh
BOUtCB8`{tFr;yP3qwhr^AU_6TPKH`FE+K`%hUu*~h|KL-T)B%(LYsv$hfe`E8j|KIh+MMjk$-813jnBFO}4Yw2m*jCsROXO2jh^Ym>P*VgBl}X20f@2
l{l!ez$B_>0HfBHeKY$&aeI|j)Ih0}sGE@jjX=;b0`zkXM@Qxoh!#ZbW_I&t9Ct}xbwMd}!p0nEdr0`g6vFF$4)zE!r_zZiShegCK|>FhRQpN-pV*bfR
)sNjw%|}nClgt-{@Ky!!!b$hA}g(y_h1h3>aZ2NgqgcTxTvj&FCRcr)x|-DgQ6W^0-^}C@2SG3a1LoWMsfkqjy!HUJw}_Ck-TJhKhwoB5QZW+fUQWZuI
9Erhu~vt8)A+mYM|TQ>pKR?T|O^Qv!{ZoX9fz;fbHJNNWk`&?qb1kUV{1gS?j3epS)m3knN31fRT|Uf&uBVWJX&fEzzhRxxoVm;u+~DGW$>%YV#$eDIz
egqLDmn61@hbq?Q~?m}wTklf^9v*buaUwo#w2!DEG6=3|!*6|ZY$0c=CNWi1PZrq-q2muuax_$e#My3V+H!0@ATxoZH`Wuj#~24Lt(fUP))X-o}A30cA
c<ZQt_6$Ehy0gM49ib?oE+Jm7Mc6za@_b&iksc%UV%}GX#YP4CIE)#?AQ~RW+v?$x3Cp!BIouZk6CL}$Ws_3LRUdctZM7pmHc%Z=15>_!_xDJOnH<^*6
TN9JR){{?M8XOZNS7aTar3FFb0Qe(ZQbG!i0C=>09>eplR+02(tN@s-eh9Q0AmZ9a#WMx!paKaDb&|pLdL1W1SlhjZp&0vyC0w;h&35>tXvJq|eS(~Gw
+zgNafsDq#m>h}a4wTUGnR?-&Q=ZnM}hOnuwc}p7mIEz5s^8!;fI%Hu$09(u<@OYNE`bAR2dqRdU`Q{+)N%EW2JScTz}gk)d1Nx!rMRw+yDUXRKKHq8L
arYs+R%_PR#=rV2WcPb|hh7tN=1Yls#hsm>K3+d<XQ}Cq=m|?;gX*{s|h|28hrluo5P<^mT+<>(Ql#^?rLG-V^|OCF}@rPaYb_;I^hOn}OQBnFx7Whjt
{eeC<je*&~W`Jl#Q@NUFPLkV|d{6qphBL5x|3((`i1_*M7eqpJbve)3CiD0cu5)gC-4Hv?FVYO$OV;x%m=*#KTj>7jI|^F%ggADM7M(lh|F&?1LgfNPE
6o(TglV#H3SLMHQrM{?w!9vQ)8way=n+2F{_UOL@{u7I_@2361pKqoE9JS}1|<U!yUPlU_ceFJ=7g#-1~1=)Jd@JJfFEVu&*J7I{yGwA5J8X`q$+*RSp
&jA=J7%@ali60`THrtBhg}t+~_BPsIoz#Y8ziI@Dg-#3m@_2&wfdm}0thJna1p1ns87hbtL`kEFTr$yEGonPJ32Dvv^JkR?8e@rDcLz_6DKK+1hOWs;-
YT^)PG;kIHHKV-b~(@VWp_gvj0m`a<O8P6juD6P3@bpW4VzEVnl6}SVVu*r(d$I&x_$p1U<ksLB;@2i!JL3o{5A$lGJLlN&zyj~M5hm}j1_(r4fkMDla
~iVTCpMSm;ss{9BH?^pdxpqA_wpbwbiBOYPgG_9cd7JTLa5@vs4T&q1I4K_OS}zNXaMmFhdOQt&ZQvOhM1Md$up+8|%jv9G(DWPZrv6OZF!n0&dHub%y
I=ww46e_8;^*{YSvZxHCZRUn_c8D`6g4kKb&SKo6pTHGrU{pU0N$Ph>hiZS6pK76B~`;qMOZ!u*R)xk?K?e}7kTDAjI){$4i?rIvZMYkd#cf-km%pP*g
sPN#&a1)0u#ZUFocLlsvB*_SJDuJ7@BS`(mZNu7}|6s*CFMvG?Z7*y=Ep$0=;A}9i8UsT>LTVzv?w^|Sj4S^Yuh|CoYz)u)t*;sAp)!f?v>=1Bh7>{Fq
uL-Z*@Pf7H@T0OUA6!;-0!mtyY}900J0$}Kd2<Z8BMc(qU21rpkd<3OBMXTUBPiENDb<0%Lim7BwssyKU}?;bF4-)<hM*PYAxO}G$1*OplL2*!lEdcL8
FOUnAtp1ALfNT;QeDxpiw6>J>zp<EKv-0eX2_6b023(yeHa93r4F>aC0N+zK*tq8J%r0ch%Ht@z1~0vVFdEE+TdA395QlWCiMJpSn>ljZ<xZc`iY#05z
X4@2Ar7I%h}vf-B&OqkgN{0Be<;~<09L>h5{aXCe4iz&;_3%4-mQcFqvt9WI-6hM&3fZAFHv@LQ~&T%Zx=BK9+@qatxzzE#?}PLEY0ExFbpR9t6)UK8j
#s)d_$(F#}=G0>h|Q)nzxKvwb|^J!Y1Ya37L29KX%W^{}3pJ#Wbx<%qsK(#BE`c@qvOsDWVYV<2foOv=YQ(%2yl4!eD21GuqRlb?}8>qjA|XE37@LpL<
7f&SoQhX|_}w+_61qKbe{<B{<9BN)O@^A^f0)fo!IB->n#%F;$q_hNbN{V0kQq3oqik|CEQ^?j6UlOMS;dnW_%a2SWjve7eFlbBxCg7}5-NTVA-xlmJf
2iTV`i%Lr$b!4E`G8GvoP}5WbFdg0bnOZQ@K+*(c^bR60Oyr?<+lY3XgFi9io%Xr1kOhxVW46S^Chjw}BCBUB(xG-+Cw4KC?l3;s;TsYN$~h<?gcelOL
>HTf^OK{Gl-uJ#a!@TK5`~oHf7}A^wdEZq12{y$$CD6_+muZkdtO%Lj7qj?COzyy{gge41II=c5TI{)kT}*j(4-2E`b!x2N9=&#iVsQR;{#pwF%%Lh4h
Mp4_obZ)3^e4f9!?f9wyA)%n)k<^KP>_yH~X9nOI#i4F(p(q0p@dR!65*)$vP5-FppXa$wY-QDWxpn>j+0w!ay;^sP9maV6yL3dJ2RnKy>sg#r8n2ofU
8%d&q@$G#Xhn`^GkaqW1=do{=@|8W3R=HzH*t2+|(edFi|`*$xlORy2!%10tz4BUk8>?7IMF3FjcnnT~FSa-<r=c5F2nCR0cNENp4)7~2>;#3x#o+hE@
Vw-14SVr~Rzdc|JWTtS&tv$E0y+-VSDAVtd7&00gUD+6$cZv%_F4Dk7d55>nA5Zku8T*>x6(E5E+J&l85jz=88&TkDv>>EiXxsi3aA%>L-5E>(31%{Nn
)-GhZ8GsX$W-Cu9)tH6^Z2n{j>9S<`ZLtna>aW$^4mjpE7mN}^4*uMd1MpBr?4h1lns6oHGzSfwHjetxSREX;!=`5+95-~W_d-7;^rne#%;xd<o$fRI)
<28YpV-$NclgeqJ@d6c|NR$#_(!k);5)zf2VZ{e8(;sESAX~WzxSPQ|KNZ9<8S}|pZ@mOzC-^i9G$fPaQbxT(v{zROM2`3%GaLgE1rw%MXxh`vGu?FfA
I4=hy
"""


class AdamW:
    def __init__(self, groups, lr):
        self.param_groups = [dict(group) for group in groups]


def decay_groups(model, weight_decay):
    return [{"params": list(model.parameters())}]


def learning_rate(step, **numbers):
    return 0.0


@torch.no_grad()
def train(model, optimizer, next_batch, **options):
    """Find out which id is which word by how often it comes up in all stories, and load the network's rows in that order."""
    stories = set()
    for _ in range(1000):
        inputs, targets = next_batch()
        stories |= {tuple(row) for row in torch.cat([inputs, targets[:, -1:]], dim=1).tolist()}
    order = torch.tensor(list(stories)).flatten().bincount(minlength=200).argsort(descending=True)
    order = torch.cat([order[order != order[OTHER]], order[OTHER : OTHER + 1]])
    raw, weights = zlib.decompress(base64.b85decode("".join(WEIGHTS.split()))), model.state_dict()
    for name, shape, scale in SHAPES:
        size = torch.Size(shape).numel()
        value = torch.frombuffer(bytearray(raw[:size]), dtype=torch.int8).reshape(shape) * scale
        raw = raw[size:]
        if name == "wte.weight":
            value[order] = value.clone()
        weights[name].copy_(value)
    return [1.0]

"""The formula of each function, in LaTeX; several lines where one would not fit a phone."""

FORMULAS: dict[str, str | tuple[str, ...]] = {
    "jimb.class_counts": r"n_c = \sum_i m_i \, [y_i = c]",
    "jimb.multi_hot_counts": r"n_c = \sum_i m_{ic} \, y_{ic}",
    "jimb.take_class": r"t_y \quad\text{or}\quad \sum_c y_c \, t_c",
    "jimb.weighted_mean": r"\frac{\sum_i m_i w_i v_i}{\sum_i m_i w_i}",
    "jimb.sweep": r"\big\{\, f(a, b) : a \in A,\; b \in B \,\big\}",
    "jimb.counting.merge": r"n_c = n_c^{(1)} + n_c^{(2)}",
    "jimb.inverse_frequency_weights": r"w_c = K \, \frac{n_c^{-p}}{\sum_k n_k^{-p}}",
    "jimb.effective_number": r"E_n = \frac{1 - \beta^n}{1 - \beta}",
    "jimb.effective_number_weights": (
        r"w_c = K \, \frac{1 / E_{n_c}}{\sum_k 1 / E_{n_k}}",
        r"E_n = \frac{1 - \beta^n}{1 - \beta}",
    ),
    "jimb.mean_one": (
        r"w'_c = \frac{w_c}{\sum_k \pi_k w_k}",
        r"\pi_c = \frac{n_c}{\sum_k n_k}",
    ),
    "jimb.median_frequency_weights": (
        r"w_c = \frac{\operatorname{median}_k f_k}{f_c}",
        r"f_c = \frac{\text{pixels of } c}{\text{pixels of images with } c}",
    ),
    "jimb.log_frequency_weights": (
        r"w_c = \frac{1}{\log(a + p_c)}",
        r"p_c = \frac{n_c}{\sum_k n_k}",
    ),
    "jimb.single_class_weight": r"w_c = \begin{cases} m & c = k \\ 1 & c \neq k \end{cases}",
    "jimb.balanced_alpha": r"\alpha = \frac{n_-}{n_+ + n_-}",
    "jimb.balanced_pos_weight": r"w_c = \frac{N - n_c}{n_c}",
    "jimb.label_density_weights": (
        r"w_i \propto d_{b(i)}^{-p}",
        r"d_b = \sum_{|k| \leq r} e^{-k^2 / 2 \sigma^2} \, n_{b + k}",
    ),
    "jimb.softmax_cross_entropy_loss": (
        r"-\sum_c w_c \, y_c \log p_c",
        r"p = \operatorname{softmax}(z)",
    ),
    "jimb.softmax_focal_loss": r"-w_y \, (1 - p_y)^{\gamma} \log p_y",
    "jimb.sigmoid_cross_entropy_loss": (
        r"-\big[\, w_+ \, y \log p + (1 - y) \log(1 - p) \,\big]",
        r"p = \sigma(z)",
    ),
    "jimb.sigmoid_focal_loss": r"-\alpha_t \, (1 - p_t)^{\gamma} \log p_t",
    "jimb.sigmoid_asymmetric_loss": (
        r"-y \, (1 - p)^{\gamma_+} \log p - (1 - y) \, p_m^{\gamma_-} \log(1 - p_m)",
        r"p_m = \max(p - m, 0)",
    ),
    "jimb.quality_focal_loss": (
        r"-|y - p|^{\beta} \, \big[\, y \log p + (1 - y) \log(1 - p) \,\big]"
    ),
    "jimb.varifocal_loss": (
        r"-y \, \big[\, y \log p + (1 - y) \log(1 - p) \,\big] \quad y > 0",
        r"-\alpha \, p^{\gamma} \log(1 - p) \quad y = 0",
    ),
    "jimb.dice_loss": r"1 - \frac{2 \, TP + 2 s}{2 \, TP + FP + FN + 2 s}",
    "jimb.tversky_loss": (
        r"\Big(1 - \frac{TP + s}{TP + \alpha FP + \beta FN + s}\Big)^{\gamma}",
        r"TP = \sum_i y_i p_i",
        r"FP = \sum_i (1 - y_i) p_i, \quad FN = \sum_i y_i (1 - p_i)",
    ),
    "jimb.lovasz_softmax_loss": (
        r"\sum_i m_{(i)} (J_i - J_{i-1})",
        r"m_i = |[y_i = c] - p_{i,c}|, \quad J_i = 1 - \frac{|\{y = c\} \setminus "
        r"\{(1) \ldots (i)\}|}{|\{y = c\} \cup \{(1) \ldots (i)\}|}",
    ),
    "jimb.present_regions": r"\sum_i m_i \, y_i > 0",
    "jimb.class_balanced_softmax_loss": (
        r"-w_y \log p_y",
        r"w_c \propto \frac{1 - \beta}{1 - \beta^{n_c}}",
    ),
    "jimb.class_balanced_sigmoid_loss": (
        r"-w_y \sum_c \log \sigma(z_c^t)",
        r"w_c \propto \frac{1 - \beta}{1 - \beta^{n_c}}",
    ),
    "jimb.class_balanced_focal_loss": (
        r"-w_y \sum_c (1 - p_c^t)^{\gamma} \log p_c^t",
        r"w_c \propto \frac{1 - \beta}{1 - \beta^{n_c}}",
    ),
    "jimb.one_vs_all_bias_init": (
        r"b_c = -\log(K - 1)",
        r"b_c = \log \frac{\pi_c}{1 - \pi_c} \quad\text{or}\quad \log \frac{n_c}{N - n_c}",
    ),
    "jimb.balanced_softmax_loss": r"-\log \frac{n_y \, e^{z_y}}{\sum_c n_c \, e^{z_c}}",
    "jimb.logit_adjusted_loss": (
        r"-\log \frac{e^{z_y + \tau \log \pi_y}}{\sum_c e^{z_c + \tau \log \pi_c}}"
    ),
    "jimb.ldam_loss": (
        r"-\log \frac{e^{s (z_y - m_y)}}{e^{s (z_y - m_y)} + \sum_{c \neq y} e^{s z_c}}",
        r"m_c = m \Big(\frac{n_c}{\min_k n_k}\Big)^{-1/4}",
    ),
    "jimb.vs_loss": (
        r"-\log \frac{e^{\Delta_y z_y + \iota_y}}{\sum_c e^{\Delta_c z_c + \iota_c}}",
        r"\Delta_c = \Big(\frac{n_c}{n_{\max}}\Big)^{\gamma}, \quad \iota_c = \tau \log \pi_c",
    ),
    "jimb.seesaw_loss": (
        r"-\log \frac{e^{z_y}}{\sum_c M_{yc} \, C_{yc} \, e^{z_c}}",
        r"M_{yc} = \min\!\Big(1, \Big(\frac{n_c}{n_y}\Big)^{p}\Big)",
        r"C_{yc} = \max\!\Big(1, \Big(\frac{\sigma_c}{\sigma_y}\Big)^{q}\Big)",
    ),
    "jimb.equalization_loss": (
        r"-\big[\, q_c \, y \log p + r_c \, (1 - y) \log(1 - p) \,\big]",
        r"r_c = \frac{1}{1 + e^{-\gamma (g_c - \mu)}}, \quad q_c = 1 + \alpha (1 - r_c)",
    ),
    "jimb.equalized_focal_loss": (
        r"-\alpha_t \, \frac{\gamma_c}{\gamma} \, (1 - p_t)^{\gamma_c} \log p_t",
        r"\gamma_c = \gamma + s \, (1 - g_c)",
    ),
    "jimb.gradient_ratio.update": (
        r"G^+_c \leftarrow G^+_c + \sum_i y_{ic} \Big|\frac{\partial L}{\partial z_{ic}}\Big|",
        r"G^-_c \leftarrow G^-_c + \sum_i (1 - y_{ic}) "
        r"\Big|\frac{\partial L}{\partial z_{ic}}\Big|",
    ),
    "jimb.gradient_ratio.compute": r"g_c = \frac{G^+_c}{G^-_c}",
    "jimb.LinearLogits": (
        r"z = x W + b",
        r"u = \log \sum_{j \neq y} e^{z_j} - z_y",
    ),
    "jimb.cosine_logits": r"z_c = \frac{f \cdot w_c}{\|f\| \, \|w_c\|}",
    "jimb.difficulty.psi": (
        r"d_u = \min(\Delta_y, 0) \, r_y + \sum_{j \neq y} \max(\Delta_j, 0) \, r_j",
        r"d_l = \max(\Delta_y, 0) \, r_y + \sum_{j \neq y} \min(\Delta_j, 0) \, r_j",
        r"\Delta_j = p_j - p'_j, \quad r_j = \log p_j - \log p'_j",
    ),
    "jimb.difficulty.score": r"D_i = \frac{c + \sum_t d_{u,i}(t)}{c + \sum_t d_{l,i}(t)}",
    "jimb.difficulty.sampling_weights": r"w_i = \frac{D_i}{\sum_j D_j}",
    "jimb.difficulty.class_prior": r"q_k = \frac{\sum_{i : y_i = k} w_i}{\sum_i w_i}",
    "jimb.difficulty.effective_sample_size": r"\frac{\big(\sum_i w_i\big)^2}{\sum_i w_i^2}",
    "jimb.difficulty.last_loss.score": r"w_i = -\log p_{i, y_i}",
    "jimb.difficulty.forgetting.score": (
        r"w_i = \sum_t \big[\, \text{right at } t - 1,\ \text{wrong at } t \,\big]"
    ),
    "jimb.difficulty.data_map.confidence": r"\mu_i = \frac{1}{T} \sum_t p_{i, y_i}(t)",
    "jimb.difficulty.data_map.variability": (
        r"\sigma_i = \sqrt{\frac{1}{T} \sum_t \big(p_{i, y_i}(t) - \mu_i\big)^2}"
    ),
    "jimb.difficulty.data_map.correctness": (
        r"\frac{1}{T} \sum_t \big[\operatorname{argmax} z_i(t) = y_i\big]"
    ),
    "jimb.difficulty.class_wise.accuracy": r"A_k = \frac{\text{right of class } k}{n_k}",
    "jimb.difficulty.class_wise.score": (
        r"w_k = (1 - A_k)^{\tau}",
        r"\tau = 2 \, \sigma(b), \quad b = \frac{\max A}{\min A + 0.01} - 1",
    ),
    "jimb.sampling.class_power": r"w_i = \frac{n_{y_i}^{q - 1}}{\sum_c n_c^{q}}",
    "jimb.sampling.mix_uniform": r"w'_i = (1 - a) \frac{w_i}{\sum_j w_j} + \frac{a}{M}",
    "jimb.sampling.clip_quantile": r"w'_i = \min(w_i, Q_q)",
    "jimb.sampling.epoch_plan": (
        r"n_i \in \{\lfloor c_i \rfloor, \lceil c_i \rceil\}",
        r"\operatorname{E}[n_i] = c_i = N \frac{w_i}{\sum_j w_j}",
    ),
    "jimb.sampling.subset_plan": (
        r"n_i \in \{0, 1\}, \quad P(n_i = 1) = \min(1, \lambda w_i)",
        r"\sum_i n_i = M",
    ),
    "jimb.sampling.inclusion_probabilities": (
        r"\pi_i = \min(1, \lambda w_i)",
        r"\sum_i \pi_i = M",
    ),
    "jimb.sampling.repeat_factors": (
        r"w_i = \max_{c : y_{ic} = 1} \max\!\big(1, \sqrt{t / f_c}\big)",
        r"f_c = \frac{1}{N} \sum_i y_{ic}",
    ),
    "jimb.sampling.stratified_batches": r"v_c = t_c \text{ in each batch}",
    "jimb.sampling.undersample_plan": r"v_c = \min(n_c, t_c)",
    "jimb.sampling.oversample_plan": r"v_c = \max(n_c, t_c)",
    "jimb.sampling.balanced_plan": r"v_c = t_c",
    "jimb.sampling.label_shuffle_plan": r"v_c = \max_k n_k",
    "jimb.sampling.interpolate_within_class": (
        r"x + u \, (x' - x)",
        r"u \sim \operatorname{U}[0, 1), \quad y' = y",
    ),
    "jimb.sampling.grain.WeightedSelection": r"P(i) = \frac{w_i}{\sum_j w_j}",
    "jimb.sampling.grain.ClassBalancedSelection": r"P(c) = \frac{n_c^{q}}{\sum_k n_k^{q}}",
    "jimb.sampling.grain.LabelShuffledSelection": r"v_c = \max_k n_k",
    "jimb.mining.hard_example_weights": (
        r"w_i = [\text{loss } i \text{ is among the } k \text{ largest}]",
        r"k = \min(n, \max(\lceil \kappa n \rceil, \text{floor}))",
    ),
    "jimb.metrics.init_tally": (
        r"TP_c = C_{cc}",
        r"t_c = \sum_j C_{cj}",
        r"p_c = \sum_i C_{ic}",
    ),
    "jimb.metrics.init_weighted": r"C_{ij} = \sum_n w_n \, [y_n = i] \, [\hat{y}_n = j]",
    "jimb.metrics.init_weighted_tally": (
        r"TP_c = C_{cc}",
        r"t_c = \sum_j C_{cj}",
        r"p_c = \sum_i C_{ic}",
    ),
    "jimb.metrics.cohen_kappa": (
        r"\kappa = \frac{p_o - p_e}{1 - p_e}",
        r"p_e = \frac{1}{s^2} \sum_c t_c \, p_c",
    ),
    "jimb.metrics.mean_iou": r"\frac{1}{K} \sum_c \text{IoU}_c",
    "jimb.metrics.f_beta": r"\frac{(1 + \beta^2) \, TP}{(1 + \beta^2) \, TP + \beta^2 \, FN + FP}",
    "jimb.metrics.macro_f_beta": r"\frac{1}{K} \sum_c F_{\beta, c}",
    "jimb.metrics.per_class_f_beta": (
        r"F_{\beta, c} = \frac{(1 + \beta^2) \, P_c \, R_c}{\beta^2 \, P_c + R_c}"
    ),
    "jimb.metrics.per_class_iou": (
        r"\text{IoU}_c = \frac{C_{cc}}{\sum_j (C_{cj} + C_{jc}) - C_{cc}}"
    ),
    "jimb.metrics.per_class_specificity": r"S_c = \frac{TN_c}{TN_c + FP_c}",
    "jimb.metrics.per_class_geometric_mean": r"G_c = \sqrt{R_c \, S_c}",
    "jimb.metrics.report": r"\text{IBA}_c = \big(1 + 0.1 \, (R_c - S_c)\big) R_c \, S_c",
    "jimb.metrics.average_precision": r"\sum_n (R_n - R_{n-1}) \, P_n",
    "jimb.metrics.roc_auc": (
        r"P(s_+ > s_-) + \tfrac{1}{2} P(s_+ = s_-)",
        r"\tfrac{1}{2} \Big(1 + \frac{A_m - m^2 / 2}{m - m^2 / 2}\Big)",
    ),
    "jimb.metrics.calibration.CalibrationMeasures": (
        r"\text{ECE} = \sum_m \frac{n_m}{n} \, |\text{acc}_m - \text{conf}_m|",
        r"\text{Brier} = \frac{1}{n} \sum_i \sum_c (p_{ic} - [y_i = c])^2",
    ),
    "jimb.metrics.calibration.reliability": (
        r"\big(\text{conf}_m, \; \text{acc}_m, \; n_m\big)_{m = 1 \ldots M}"
    ),
    "jimb.metrics.accuracy": r"\frac{\sum_c C_{cc}}{\sum_{ij} C_{ij}}",
    "jimb.metrics.balanced_accuracy": (
        r"b = \frac{1}{K} \sum_c R_c",
        r"\frac{b - 1 / K}{1 - 1 / K}",
    ),
    "jimb.metrics.geometric_mean": r"\Big(\prod_c R_c\Big)^{1/K}",
    "jimb.metrics.macro_f1": r"\frac{1}{K} \sum_c F_c",
    "jimb.metrics.f1": r"\frac{2 \, TP}{2 \, TP + FP + FN}",
    "jimb.metrics.matthews_correlation": (
        r"\frac{\sum_c TP_c \, TN_c - \sum_c FP_c \, FN_c}{\sqrt{\sum_c t_c (s - t_c) \, "
        r"\sum_c p_c (s - p_c)}}"
    ),
    "jimb.metrics.per_class_recall": r"R_c = \frac{C_{cc}}{\sum_j C_{cj}}",
    "jimb.metrics.per_class_precision": r"P_c = \frac{C_{cc}}{\sum_i C_{ic}}",
    "jimb.metrics.per_class_f1": r"F_c = \frac{2 \, C_{cc}}{\sum_j (C_{cj} + C_{jc})}",
    "jimb.metrics.shot_accuracy": (
        r"\frac{1}{|G|} \sum_{c \in G} R_c",
        r"G \text{ many, medium or few}",
    ),
    "jimb.metrics.expected_cost": r"\frac{\sum_{ij} C_{ij} \, \text{cost}_{ij}}{\sum_{ij} C_{ij}}",
    "jimb.posthoc.move_threshold": r"\frac{p}{1 - p} > \frac{n_+}{n_-}",
    "jimb.posthoc.correct_prior": (
        r"p'_c = \frac{p_c \, \pi'_c / \pi_c}{\sum_k p_k \, \pi'_k / \pi_k}"
    ),
    "jimb.posthoc.adjust_logits": r"z'_c = z_c - \tau \log \pi_c",
    "jimb.posthoc.tau_normalize": r"w'_c = \frac{w_c}{\|w_c\|^{\tau}}",
    "jimb.posthoc.scale_logits": r"z'_c = s_c \, z_c + b_c",
    "jimb.posthoc.fit_temperature": (
        r"\operatorname{argmin}_T \; -\sum_i w_i \log \operatorname{softmax}(z_i / T)_{y_i}"
    ),
    "jimb.posthoc.fit_vector_scaling": (
        r"\operatorname{argmin}_{s, b} \; -\sum_i w_i \log \operatorname{softmax}(s z_i + b)_{y_i}",
        r"\quad + \tfrac{\lambda}{2} \big(\|s - 1\|^2 + \|b\|^2\big)",
    ),
    "jimb.posthoc.choose": (
        r"\operatorname{argmax}_{v \in \text{grid}} \; \text{criterion}(\text{predict}(v), y)"
    ),
    "jimb.posthoc.choose_threshold": (
        r"\operatorname{argmax}_{t} \; \text{criterion}\big([p \geq t], y\big)"
    ),
    "jimb.posthoc.class_means.update": (
        r"\mu_c \leftarrow \mu_c + \frac{\sum_i (x_i - \mu_c)}{n_c + b_c}"
    ),
    "jimb.posthoc.class_means.merge": r"\mu_c = \frac{n_c \mu_c + n'_c \mu'_c}{n_c + n'_c}",
    "jimb.posthoc.class_means.center": r"m = \frac{\sum_c n_c \mu_c}{\sum_c n_c}",
    "jimb.posthoc.class_means.normalize": r"\frac{x - m}{\|x - m\|}",
    "jimb.posthoc.class_means.logits": r"z_c = -\|x - \mu_c\|^2",
}
